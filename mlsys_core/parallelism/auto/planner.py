"""Both levels for a GPT: stages on sub-meshes by dynamic programming, and in each stage one way an operator by integer program.

Idea      Blocks are alike, so a stage is a first block with the embedding, some blocks between, and a last one with the head. The
          residual stream is held in one spec at all borders inside a stage; each border spec is tried, and the best stays.
Equation  t(stage, mesh) = min over border specs Σ_blocks ILP(block, mesh, spec) + what the stage receives and sends back
Paper     L. Zheng et al., "Alpa", OSDI 2022, sections 4 and 5 (the paper compiles and measures each stage; here a model prices it).
Cost      An integer program for each of 3 kinds of block, each mesh and border spec, and again where memory is short; then each
          layer has a share of it in proportion to its size, which is near the best and not always the best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from mlsys_core.parallelism.auto.graph import Graph, gpt_block
from mlsys_core.parallelism.auto.intra import Assignment, shard
from mlsys_core.parallelism.auto.sharding import HALF, STATE, Grid
from mlsys_core.parallelism.auto.stages import INFINITE, Mesh2D, Pipeline, slice_stages
from mlsys_core.parallelism.communication import Fabric
from mlsys_core.workloads.gpt import GPTConfig

Ends = tuple[bool, bool]


@dataclass(frozen=True)
class Nodes:
    """A cluster: nodes, devices of a node, links inside and between, FLOP/s and bytes of a device."""

    nodes: int
    devices: int
    inside: Fabric
    between: Fabric
    flops: float
    memory: float = float("inf")

    def grid(self, mesh: Mesh2D) -> Grid:
        """A part of it: axis 0 goes over nodes, axis 1 inside them."""
        return Grid(mesh, (self.between, self.inside), self.flops, self.memory)


@dataclass
class Planned:
    """A pipeline, and for each of its stages what was chosen in each of its layers."""

    pipeline: Pipeline
    layers: list[list[Assignment]]


@dataclass
class _Costs:
    """Times of stages of a GPT, each part computed once."""

    config: GPTConfig
    batch: int
    cluster: Nodes
    solved: dict[tuple[Ends, Mesh2D, tuple[str, str], int, float], Assignment | None] = field(default_factory=dict)

    def time(self, first: int, last: int, mesh: Mesh2D, depth: int) -> float:
        """Seconds of a micro-batch in a stage; `depth` of them are in flight, as 1F1B has it."""
        layers = self.layers(first, last, mesh, depth)
        return INFINITE if layers is None else sum(layer.seconds for layer in layers) + self._hops(first, mesh)

    def _hops(self, first: int, mesh: Mesh2D) -> float:
        """Seconds to receive activations and send their gradient back: each device its part."""
        if first == 0:
            return 0.0
        size = HALF * self.batch * self.config.context * self.config.dim / (mesh[0] * mesh[1])
        link = self.cluster.between if self.cluster.nodes > 1 else self.cluster.inside
        return 2 * (link.alpha_s + link.beta_s * size)

    def layers(self, first: int, last: int, mesh: Mesh2D, depth: int) -> list[Assignment] | None:
        """What the stage's layers do, in the best of the border specs; None where none fits."""
        found = [each for border in self._borders(mesh) if (each := self._stage(first, last, mesh, depth, border))]
        return min(found, key=lambda layers: sum(layer.seconds for layer in layers), default=None)

    def _borders(self, mesh: Mesh2D) -> Iterator[tuple[str, str]]:
        """Ways to hold the residual stream: each mesh axis cuts the batch, the width or nothing."""
        for cut in product(*(("b", "h", "") if length > 1 else ("",) for length in mesh)):
            lengths = {"b": self.batch, "h": self.config.dim, "": 0}
            parts = dict.fromkeys(cut, 1)
            for label, length in zip(cut, mesh, strict=True):
                parts[label] *= length
            if all(lengths[label] % parts[label] == 0 for label in cut):
                yield cut[0], cut[1]

    def _stage(
        self, first: int, last: int, mesh: Mesh2D, depth: int, border: tuple[str, str]
    ) -> list[Assignment] | None:
        kinds = [(n == 0, n == self.config.layers - 1) for n in range(first, last)]
        whole = [_bytes(gpt_block(self.config, self.batch, kind), depth) for kind in kinds]
        # without a limit first; where that is too much, each layer gets a share like its size uncut
        for memory in (INFINITE, self.cluster.memory):
            shares = [memory * size / sum(whole) for size in whole]
            found = [self._layer(kind, mesh, border, depth, share) for kind, share in zip(kinds, shares, strict=True)]
            layers = [layer for layer in found if layer is not None]
            held = sum(layer.weights + depth * layer.kept for layer in layers)
            if len(layers) == len(kinds) and held <= self.cluster.memory:
                return layers
        return None

    def _layer(self, ends: Ends, mesh: Mesh2D, border: tuple[str, str], depth: int, share: float) -> Assignment | None:
        limited = depth if share < INFINITE else 1  # without a limit the micro-batches in flight change nothing
        key = (ends, mesh, border, limited, share)
        if key not in self.solved:
            graph = _bordered(gpt_block(self.config, self.batch, ends), border)
            self.solved[key] = shard(graph, self.cluster.grid(mesh), limited, share)
        return self.solved[key]


def _bytes(graph: Graph, depth: int) -> float:
    """What a graph needs uncut, with activations of `depth` micro-batches."""
    weights = sum(graph.elements(op.operands[place]) for op in graph.ops for place in op.weights)
    return STATE * weights + depth * HALF * sum(graph.elements(op.output) for op in graph.ops)


def _bordered(graph: Graph, border: tuple[str, str]) -> Graph:
    """The graph with the residual stream held in one spec where it enters and leaves."""
    return replace(graph, ops=tuple(replace(op, pinned=border) if op.name in {"in", "out"} else op for op in graph.ops))


def parallelize(config: GPTConfig, batch: int, micro_batches: int, cluster: Nodes) -> Planned:
    """The fastest plan for micro-batches of `batch` sequences; ValueError where none fits the memory."""
    costs = _Costs(config, batch, cluster)
    pipeline = slice_stages(config.layers, cluster.nodes, cluster.devices, micro_batches, costs.time)
    if pipeline is None:
        raise ValueError(
            f"No plan fits {cluster.memory / 1e9:.3g} GB on each of {cluster.nodes * cluster.devices} devices: "
            "use more devices or a smaller micro-batch."
        )
    depth = len(pipeline.stages)
    layers = [
        costs.layers(stage.first, stage.last, stage.mesh, depth - number) or []
        for number, stage in enumerate(pipeline.stages)
    ]
    return Planned(pipeline, layers)
