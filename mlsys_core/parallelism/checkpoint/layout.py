"""Who holds what: for each rank of dp × pp × tp, the slices of every weight and the stretch of every optimizer state.

Idea      Three ways to cut, one after the other: layers go to stages, a layer's matrices are cut by rows or columns, and the
          optimizer states of what is left are laid end to end, padded, and cut evenly between the replicas, wherever that falls.
Equation  a rank's stretch of the flat states is [r c, (r+1) c), c = ⌈n / dp⌉, for n elements of its stage and shard
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3 (rows and columns); S. Rajbhandari et al., "ZeRO",
          SC 2020, section 5 (states by replica); X. Lian et al., "Universal checkpointing", arXiv 2406.18820, section 3.
Cost      Nothing is moved: a few numbers for each tensor of a rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from mlsys_core.parallelism.collectives import chunk_sizes
from mlsys_core.parallelism.mesh import Mesh

# names of a model's tensors and their whole shapes, in the model's order
Shapes = Mapping[str, tuple[int, ...]]
ROWS = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "gate_proj.weight", "up_proj.weight")
COLUMNS = ("o_proj.weight", "down_proj.weight")
VOCABULARY = ("embed.weight", "head.weight")


def split_axis(name: str) -> int | None:
    """Along which axis tensor parallelism cuts a weight of the GPT; None where each shard has all of it, as of a norm.

    A weight is (outputs, inputs): a column-parallel layer cuts its outputs, a row-parallel one its inputs.
    """
    if name.endswith(ROWS + VOCABULARY):
        return 0
    return 1 if name.endswith(COLUMNS) else None


@dataclass(frozen=True)
class Piece:
    """A part of a tensor: its box, (low, high) for each axis, and of the box's elements in row-major order those in [start, stop)."""

    tensor: str
    box: tuple[tuple[int, int], ...]
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the box."""
        return tuple(high - low for low, high in self.box)

    @property
    def index(self) -> tuple[slice, ...]:
        """The box, to index the whole tensor with."""
        return tuple(slice(low, high) for low, high in self.box)


@dataclass(frozen=True)
class Layout:
    """Degrees of the three ways. Sizes need not divide: the first shards and stages are longer by one."""

    tp: int = 1
    pp: int = 1
    dp: int = 1

    @property
    def mesh(self) -> Mesh:
        """Ranks as (dp, pp, tp)."""
        return Mesh((self.dp, self.pp, self.tp), ("dp", "pp", "tp"))

    def stages(self, name: str, shapes: Shapes) -> tuple[int, ...]:
        """Which stages hold a tensor: the embedding is on the first, the last norm and the head on the last.

        An embedding that is the head's weight too (there is no tensor of that name then) is on both.
        """
        if name.startswith("blocks."):
            layers = 1 + max(int(key.split(".")[1]) for key in shapes if key.startswith("blocks."))
            stage, layer = 0, int(name.split(".")[1])
            for count in chunk_sizes(layers, self.pp):
                if layer < count:
                    break
                stage, layer = stage + 1, layer - count
            return (stage,)
        if name.startswith("embed."):
            return (0,) if "head.weight" in shapes or self.pp == 1 else (0, self.pp - 1)
        return (self.pp - 1,)

    def weights(self, shapes: Shapes, rank: int) -> list[Piece]:
        """The shards of a rank, in the model's order."""
        at = self.mesh.coordinates(rank)
        held = []
        for name, shape in shapes.items():
            if at["pp"] in self.stages(name, shapes):
                box = [(0, length) for length in shape]
                axis = split_axis(name)
                if axis is not None:
                    sizes = chunk_sizes(shape[axis], self.tp)
                    low = sum(sizes[: at["tp"]])
                    box[axis] = (low, low + sizes[at["tp"]])
                held.append(Piece(name, tuple(box), 0, prod(high - low for low, high in box)))
        return held

    def shard_size(self, shapes: Shapes, rank: int) -> int:
        """Elements of a rank's part of each flat state, padding included."""
        return -(-sum(piece.stop for piece in self.weights(shapes, rank)) // self.dp)

    def states(self, shapes: Shapes, rank: int) -> Iterator[tuple[int, Piece]]:
        """Where in a rank's flat part each piece of a state begins, and the piece; what no piece fills is padding."""
        size = self.shard_size(shapes, rank)
        low = self.mesh.coordinates(rank)["dp"] * size
        begins = 0
        for piece in self.weights(shapes, rank):
            start, stop = max(low, begins), min(low + size, begins + piece.stop)
            if start < stop:
                yield start - low, Piece(piece.tensor, piece.box, start - begins, stop - begins)
            begins += piece.stop

    def is_first(self, name: str, shapes: Shapes, rank: int) -> bool:
        """Whether of all ranks that hold the same copy of a tensor's shard in their stage and shard, this is the one that writes."""
        at = self.mesh.coordinates(rank)
        alone = split_axis(name) is not None or at["tp"] == 0
        return alone and at["pp"] == self.stages(name, shapes)[0]
