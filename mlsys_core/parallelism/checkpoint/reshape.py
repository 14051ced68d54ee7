"""Save at one layout, load at any other: every piece says where in the whole tensor it belongs, so no layout is special.

Idea      The whole tensor is the format that all layouts share. A rank writes the pieces that it holds and that no other writes; a
          rank that loads puts together one whole tensor at a time, takes its own piece of it, and lets the rest go.
Equation  load_B(save_A(split_A(x))) = split_B(x), bit for bit, for all layouts A and B
Paper     X. Lian et al., "Universal checkpointing: efficient and flexible checkpointing for large scale distributed training",
          arXiv 2406.18820 (the paper makes whole tensors in a step of its own; here that happens while loading).
Cost      12 bytes a parameter are written once in all (weight and two moments in fp32); a loading rank reads the files that hold
          a part of what it needs, and has one whole tensor in memory beside its own state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mlsys_core.parallelism.checkpoint.files import (
    MANIFEST,
    Archive,
    CheckpointError,
    digest,
    read_manifest,
    write_arrays,
    write_manifest,
)
from mlsys_core.parallelism.checkpoint.layout import Layout, Piece, Shapes
from mlsys_core.parallelism.communication import Communicator

Part = dict[str, Any]  # what the manifest knows of one rank's file


@dataclass
class RankState:
    """What a rank holds: its shards of the weights by name, its flat part of each optimizer state (Adam's `exp_avg` and
    `exp_avg_sq`), and the steps taken."""

    weights: dict[str, Tensor]
    states: dict[str, Tensor]
    step: int = 0


def split(
    weights: Mapping[str, Tensor], states: Mapping[str, Mapping[str, Tensor]], step: int, layout: Layout, rank: int
) -> RankState:
    """A rank's part of a whole model: weights by name, and states by kind and then by name, all of whole shapes."""
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    wholes = {"weight": weights, **states}
    own, flat = _cut(lambda kind, name: wholes[kind][name], list(states), shapes, layout, rank)
    return RankState(own, flat, step)


def _cut(
    whole: Callable[[str, str], Tensor], kinds: list[str], shapes: Shapes, layout: Layout, rank: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Shards of the weights and flat parts of the states, out of whole tensors that are asked for one at a time."""
    own = {p.tensor: whole("weight", p.tensor)[p.index].clone() for p in layout.weights(shapes, rank)}
    flat = {kind: torch.zeros(layout.shard_size(shapes, rank)) for kind in kinds}
    for begin, piece in layout.states(shapes, rank):
        for kind in kinds:
            taken = whole(kind, piece.tensor)[piece.index].reshape(-1)[piece.start : piece.stop]
            flat[kind][begin : begin + len(taken)] = taken
    return own, flat


def write_part(folder: Path, state: RankState, shapes: Shapes, layout: Layout, rank: int) -> Part:
    """Writes a rank's file; returns its part of the manifest."""
    tensors: list[Tensor] = []
    records: list[dict[str, Any]] = []

    def keep(kind: str, piece: Piece, values: Tensor) -> None:
        if layout.is_first(piece.tensor, shapes, rank):
            records.append({"kind": kind, "dtype": str(values.dtype).removeprefix("torch."), **asdict(piece)})
            tensors.append(values)

    for piece in layout.weights(shapes, rank):
        if layout.mesh.coordinates(rank)["dp"] == 0:
            keep("weight", piece, state.weights[piece.tensor])
    for begin, piece in layout.states(shapes, rank):
        for kind, flat in state.states.items():
            keep(kind, piece, flat[begin : begin + piece.stop - piece.start])
    name = f"rank-{rank:05d}.npz"
    write_arrays(folder / name, tensors)
    return {"file": name, "sha256": digest(folder / name), "step": state.step, "pieces": records}


def finish(folder: Path, parts: list[Part], shapes: Shapes, layout: Layout) -> None:
    """Writes the manifest once all ranks have written their files; raises CheckpointError where they stand at different steps."""
    steps = sorted({part["step"] for part in parts})
    if len(steps) != 1:
        raise CheckpointError(
            f"Ranks stand at the steps {steps}: save between two steps, when all have taken the same."
        )
    kinds = sorted({piece["kind"] for part in parts for piece in part["pieces"]})
    tensors = [[name, list(shape)] for name, shape in shapes.items()]  # a list keeps the model's order
    body = {"step": steps[0], "layout": asdict(layout), "kinds": kinds, "tensors": tensors, "parts": parts}
    write_manifest(folder, body)


def save(folder: Path, state: RankState, shapes: Shapes, layout: Layout, comm: Communicator) -> None:
    """Every rank saves its part; rank 0 gathers what they wrote and writes the manifest. `shapes` are those of the whole tensors.

    Raises CheckpointError where the folder has a checkpoint already, since a mixture of two would be none.
    """
    if (folder / MANIFEST).exists():
        raise CheckpointError(f"{folder.name} has a checkpoint already: save each step to a folder of its own.")
    folder.mkdir(parents=True, exist_ok=True)
    parts = _gather(write_part(folder, state, shapes, layout, comm.rank), comm)
    if comm.rank == 0:
        finish(folder, parts, shapes, layout)


def _gather(part: Part, comm: Communicator) -> list[Part]:
    """Every rank's part at rank 0, as JSON; an empty list elsewhere."""
    if comm.rank:
        text = torch.tensor(list(json.dumps(part).encode()), dtype=torch.uint8)
        comm.send(torch.tensor([len(text)]), 0)
        comm.send(text, 0)
        return []
    parts = [part]
    for rank in range(1, comm.size):
        length = int(comm.recv(torch.zeros(1, dtype=torch.int64), rank).item())
        text = comm.recv(torch.zeros(length, dtype=torch.uint8), rank)
        parts.append(json.loads(bytes(text.tolist())))
    return parts


@dataclass
class Reader:
    """Whole tensors of a checkpoint, one at a time."""

    folder: Path
    body: dict[str, Any]
    opened: dict[str, Archive] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the whole tensors, in the model's order."""
        return {name: tuple(shape) for name, shape in self.body["tensors"]}

    def whole(self, kind: str, name: str) -> Tensor:
        """A tensor put together from its pieces; raises CheckpointError where they do not cover it."""
        values: Tensor | None = None
        shape = self.shapes[name]
        filled = torch.zeros(shape, dtype=torch.bool)
        for part in self.body["parts"]:
            for place, record in enumerate(part["pieces"]):
                if (record["kind"], record["tensor"]) == (kind, name):
                    piece = Piece(name, tuple(tuple(side) for side in record["box"]), record["start"], record["stop"])
                    dtype = getattr(torch, record["dtype"])
                    values = torch.zeros(shape, dtype=dtype) if values is None else values
                    _put(values, piece, self._archive(part).read(place, dtype))
                    _put(filled, piece, torch.ones(piece.stop - piece.start, dtype=torch.bool))
        if values is None or not filled.all():
            raise CheckpointError(f"{self.folder.name} holds only a part of {kind} {name}. Load another checkpoint.")
        return values

    def _archive(self, part: Part) -> Archive:
        if part["file"] not in self.opened:
            self.opened[part["file"]] = Archive(self.folder, part["file"], part["sha256"])
        return self.opened[part["file"]]


def _put(whole: Tensor, piece: Piece, values: Tensor) -> None:
    box = whole[piece.index].reshape(-1).clone()
    if values.numel() != piece.stop - piece.start or piece.stop > box.numel():
        raise CheckpointError(f"A piece of {piece.tensor} has {values.numel()} elements where its place has others.")
    box[piece.start : piece.stop] = values.reshape(-1)
    whole[piece.index] = box.view(piece.shape)


def load(folder: Path, layout: Layout, rank: int) -> RankState:
    """A rank's state at a layout, from a checkpoint of any layout; raises CheckpointError, with a sentence, for a damaged one."""
    reader = Reader(folder, read_manifest(folder))
    kinds = [kind for kind in reader.body["kinds"] if kind != "weight"]
    own, flat = _cut(reader.whole, kinds, reader.shapes, layout, rank)
    return RankState(own, flat, reader.body["step"])
