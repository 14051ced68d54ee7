"""A recommendation model: tables of embeddings so large that devices share them, and two small networks.

Idea      A person and a page are described by a few numbers and by categories, of which there are millions. Each category is
          a row of a table; a sample reads a few rows of each table and adds them. Products of all pairs of these vectors
          feed a network that predicts a click. Nearly all parameters are rows, and a step touches nearly none of them.
Equation  e_t = Σ_{i ∈ bag_t} E_t[i],  z₀ = bottom(x),  y = top(z₀, ⟨z_i, z_j⟩ for i < j)
Paper     M. Naumov et al., "Deep learning recommendation model for personalization and recommendation systems", arXiv
          1906.00091, sections 2 and 3 (tables are spread over devices, networks are copied; all-to-all between them).
Cost      B F L d elements are gathered for B samples, F tables, L rows a bag, width d, and B F d elements go through an
          all-to-all in each direction, for 2 B (F+1)² d FLOPs of interaction: little arithmetic for much movement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from mlsys_core.workloads import operations as o
from mlsys_core.workloads.operations import INDEX, Operation, Work


@dataclass(frozen=True)
class DLRMConfig:
    """`tables` of `rows` × `dim`, of which a sample reads `bag` rows each; inner widths of the two networks.

    The bottom network maps `dense` numbers to `dim`; the top one maps the vector and the products to one number.
    """

    tables: int = 26
    rows: int = 1_000_000
    dim: int = 128
    bag: int = 1
    dense: int = 13
    bottom: tuple[int, ...] = (512, 256)
    top: tuple[int, ...] = (1024, 1024, 512, 256)

    @property
    def pairs(self) -> int:
        """Pairs of different vectors among those of the tables and the bottom network's."""
        return (self.tables + 1) * self.tables // 2

    @property
    def bottom_widths(self) -> tuple[int, ...]:
        """From the dense numbers to the vector."""
        return (self.dense, *self.bottom, self.dim)

    @property
    def top_widths(self) -> tuple[int, ...]:
        """From the vector and the products to one number."""
        return (self.dim + self.pairs, *self.top, 1)


def mlp(widths: Sequence[int], *, last_relu: bool) -> nn.Sequential:
    """Affine maps between these widths, with a ReLU after each, after the last one only with `last_relu`."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers if last_relu else layers[:-1])


def interact(vectors: Tensor) -> Tensor:
    """Products of all pairs of different vectors: (B, F, d) -> (B, F (F-1) / 2), row by row below the diagonal."""
    products = torch.bmm(vectors, vectors.transpose(1, 2))
    i, j = torch.tril_indices(vectors.shape[1], vectors.shape[1], offset=-1)
    return products[:, i, j]


class DLRM(nn.Module):
    """Dense numbers (B, dense) and categories (B, tables, bag) -> logits (B,) of a click."""

    def __init__(self, config: DLRMConfig) -> None:
        super().__init__()
        # a step changes the rows that it read, so gradients name only those
        self.tables = nn.ModuleList(
            nn.EmbeddingBag(config.rows, config.dim, mode="sum", sparse=True) for _ in range(config.tables)
        )
        self.bottom = mlp(config.bottom_widths, last_relu=True)
        self.top = mlp(config.top_widths, last_relu=False)

    def pool(self, categories: Tensor) -> Tensor:
        """Sums of rows: (B, tables, bag) -> (B, tables, dim)."""
        return torch.stack([table(categories[:, t]) for t, table in enumerate(self.tables)], dim=1)

    def forward(self, dense: Tensor, categories: Tensor) -> Tensor:
        """Look up, interact, judge."""
        return self.judge(dense, self.pool(categories))

    def judge(self, dense: Tensor, pooled: Tensor) -> Tensor:
        """The part that every device does for its own samples, from sums of rows (B, tables, dim) that came to it."""
        vector = self.bottom(dense)
        products = interact(torch.cat((vector[:, None], pooled), dim=1))
        return self.top(torch.cat((vector, products), dim=1))[:, 0]


def embeddings(config: DLRMConfig, batch: int, *, size: int = 4, devices: int = 1) -> list[Operation]:
    """Lookups and their exchange on one device for `batch` samples of its own, when devices share the tables evenly.

    A device looks up its tables for the samples of all, and an all-to-all brings each sample's sums together. Raises
    ValueError when the tables cannot be spread evenly.
    """
    if config.tables % devices:
        raise ValueError(f"{config.tables} tables cannot be spread evenly over {devices} devices: give a divisor.")
    lookup, pooled = _lookup(config, batch, size), batch * config.tables * config.dim
    return [lookup, o.all_to_all("all_to_all", pooled, size, devices)] if devices > 1 else [lookup]


def dlrm(config: DLRMConfig, batch: int, *, size: int = 4, devices: int = 1) -> list[Operation]:
    """The operations of a step on one device: `embeddings`, the networks, and the all-reduce of the networks' gradients."""
    vectors = batch * (config.tables + 1) * config.dim
    networks = [
        *_mlp("bottom", config.bottom_widths, batch, size, first=True),
        o.elementwise("join", "elementwise", vectors, size, reads=1, keeps=vectors),
        _interaction(config, batch, size),
        o.elementwise("join2", "elementwise", batch * config.top_widths[0], size, reads=1),
        *_mlp("top", config.top_widths, batch, size, first=False),
    ]
    counted = [*embeddings(config, batch, size=size, devices=devices), *networks]
    if devices > 1:
        counted.append(o.all_reduce("all_reduce", o.parameters(networks), size, devices))
    return counted


def _lookup(config: DLRMConfig, batch: int, size: int) -> Operation:
    """Rows in, sums out; backward, sums' cotangents in and one row out for each row that was read.

    A device does tables / p for p · batch samples, so all counts are those of tables for batch; its share of the tables'
    parameters is not divided here. Keeps indices and three numbers a bag (where it begins, its length, a place for a maximum).
    """
    bags = batch * config.tables
    read = bags * config.bag
    rows, sums = read * config.dim * size, bags * config.dim * size
    # torch's kernel for float64 also keeps which bag a row belongs to
    belongs = read + config.tables if size == 8 else 0
    return Operation(
        "lookup",
        "embedding",
        Work(0, read * INDEX + rows + sums),
        Work(0, read * INDEX + sums + rows),
        config.tables * config.rows * config.dim,
        (read + 3 * bags + belongs) * INDEX,
    )


def _interaction(config: DLRMConfig, batch: int, size: int) -> Operation:
    """One product of the vectors with themselves, all F + 1 squared of it though half would do; then the pairs are picked."""
    vectors = config.tables + 1
    flops, read = 2 * batch * vectors**2 * config.dim, batch * vectors * config.dim * size
    square, pairs = batch * vectors**2 * size, batch * config.pairs * size
    return Operation(
        "interact",
        "interaction",
        Work(flops, 2 * read + 2 * square + pairs),
        Work(2 * flops, 4 * read + 3 * square + pairs),
        saved=2 * config.pairs * INDEX,
    )


def _mlp(name: str, widths: Sequence[int], batch: int, size: int, *, first: bool) -> list[Operation]:
    """Affine maps and ReLUs; the `first` network's input needs no gradient, and the top one ends without a ReLU."""
    counted: list[Operation] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        keeps = batch * inputs if i == 0 else 0
        counted.append(
            o.linear(
                f"{name}.{i}",
                "networks",
                (batch, inputs, outputs),
                size,
                bias=True,
                keeps=keeps,
                input_gradient=not (first and i == 0),
            )
        )
        if first or i < len(widths) - 2:
            counted.append(
                o.elementwise(f"{name}.relu{i}", "elementwise", batch * outputs, size, reads=1, keeps=batch * outputs)
            )
    return counted
