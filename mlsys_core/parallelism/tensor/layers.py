"""Layers of which each rank holds a slice: a matrix cut by columns of its output, by rows of its input, a table cut by words.

Idea      The first of two matrices is cut so that each rank makes some of the features, the second so that it uses just those:
          between the two nothing is sent, and what each rank ends with is a term of a sum.
Equation  Y = X A, A = [A_0 … A_{p-1}]: Y_r = X A_r;   Z = Y B, B = [B_0; …; B_{p-1}]: Z = Σ_r Y_r B_r
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3.
Cost      1/p of the FLOPs and weights a rank; a sum of the output's size forward (rows) and backward (columns), see `regions`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.tensor.regions import (
    copy_to_region,
    gather_from_region,
    gather_from_sequence_region,
    part,
    reduce_from_region,
    reduce_scatter_to_sequence_region,
    scatter_to_region,
    shares,
)
from mlsys_core.workloads.gpt import RMSNorm


@dataclass(frozen=True)
class Split:
    """A parameter is cut along `axis` into parts of these sizes, one a rank."""

    axis: int
    sizes: tuple[int, ...]


class ColumnParallelLinear(nn.Module):
    """x (…, in) -> this rank's features (…, out_r), or all of them with `gather_output`; cut from a whole layer.

    sequence_parallel   x is this rank's part of the sequence, (B, T/p, in), and is gathered first
    input_is_copied     several layers read one x, for which `copy_to_region` (or the gather) was done once already
    """

    def __init__(
        self,
        whole: nn.Linear,
        comm: Communicator,
        *,
        gather_output: bool = False,
        sequence_parallel: bool = False,
        input_is_copied: bool = False,
    ) -> None:
        super().__init__()
        self.comm, self.sizes = comm, shares(whole.out_features, comm, "An output")
        self.gather_output, self.sequence_parallel = gather_output, sequence_parallel
        self.input_is_copied = input_is_copied
        self.weight = _slice(whole.weight, 0, self.sizes, comm)
        self.bias = None if whole.bias is None else _slice(whole.bias, 0, self.sizes, comm)

    @property
    def splits(self) -> dict[str, Split]:
        """How the parameters are cut."""
        return {name: Split(0, self.sizes) for name, _ in self.named_parameters()}

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in) -> (…, out_r) or (…, out)."""
        if not self.input_is_copied:
            x = (gather_from_sequence_region if self.sequence_parallel else copy_to_region)(x, self.comm)
        y = F.linear(x, self.weight, self.bias)
        return gather_from_region(y, self.comm, self.sizes) if self.gather_output else y


class RowParallelLinear(nn.Module):
    """This rank's features (…, in_r) -> the whole output (…, out), the same on every rank; cut from a whole layer.

    input_is_parallel   False: x (…, in) is whole on every rank, and each takes its part
    sequence_parallel   each rank gets its part of the sequence of the output, (B, T/p, out)
    """

    def __init__(
        self,
        whole: nn.Linear,
        comm: Communicator,
        *,
        input_is_parallel: bool = True,
        sequence_parallel: bool = False,
    ) -> None:
        super().__init__()
        self.comm, self.sizes = comm, shares(whole.in_features, comm, "An input")
        self.input_is_parallel, self.sequence_parallel = input_is_parallel, sequence_parallel
        self.weight = _slice(whole.weight, 1, self.sizes, comm)
        self.bias = None if whole.bias is None else nn.Parameter(whole.bias.detach().clone())

    @property
    def splits(self) -> dict[str, Split]:
        """How the parameters are cut; the bias is whole on every rank."""
        return {"weight": Split(1, self.sizes)}

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in_r) or (…, in) -> (…, out); the bias is added once, after the sum."""
        if not self.input_is_parallel:
            x = scatter_to_region(x, self.comm, self.sizes)
        term = F.linear(x, self.weight)
        if not self.sequence_parallel:
            y = reduce_from_region(term, self.comm)
            return y if self.bias is None else y + self.bias
        y = reduce_scatter_to_sequence_region(term, self.comm)
        return y if self.bias is None else y + copy_to_region(self.bias, self.comm)


class VocabParallelEmbedding(nn.Module):
    """Tokens (B, T), the same on every rank -> (B, T, d), or (B, T/p, d) with `sequence_parallel`; cut from a whole table."""

    def __init__(self, whole: nn.Embedding, comm: Communicator, *, sequence_parallel: bool = False) -> None:
        super().__init__()
        self.comm, self.sizes = comm, shares(whole.num_embeddings, comm, "A vocabulary")
        self.first, self.sequence_parallel = sum(self.sizes[: comm.rank]), sequence_parallel
        self.weight = _slice(whole.weight, 0, self.sizes, comm)

    @property
    def splits(self) -> dict[str, Split]:
        """How the table is cut."""
        return {"weight": Split(0, self.sizes)}

    def forward(self, tokens: Tensor) -> Tensor:
        """Rows of words that this rank has, zeros for the others, summed over ranks."""
        row = tokens - self.first
        here = (row >= 0) & (row < len(self.weight))
        term = F.embedding(row.where(here, torch.zeros_like(row)), self.weight) * here[..., None]
        return (reduce_scatter_to_sequence_region if self.sequence_parallel else reduce_from_region)(term, self.comm)


class SequenceParallelNorm(RMSNorm):
    """RMSNorm of this rank's part of the sequence: the weight is whole everywhere, and its gradient a sum over ranks."""

    def __init__(self, whole: RMSNorm, comm: Communicator) -> None:
        super().__init__(len(whole.weight), whole.eps)
        self.comm = comm
        self.weight = nn.Parameter(whole.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T/p, d) -> same."""
        return F.rms_norm(x, self.weight.shape, copy_to_region(self.weight, self.comm), self.eps)


def _slice(whole: Tensor, axis: int, sizes: tuple[int, ...], comm: Communicator) -> nn.Parameter:
    return nn.Parameter(part(whole.detach(), axis, sizes, comm))
