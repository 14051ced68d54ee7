"""Task 5: masks, pruned weights, and the compressed form of two of four. A part of driver.py."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray
Answer = dict[str, Any]
PAIRS = list(itertools.combinations(range(4), 2))  # which two of four stay


def _plain(tensor: Any) -> Array:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"returned a {type(tensor).__name__}, expected a tensor")
    return tensor.detach().numpy()


def largest_mask(program: ModuleType, *, weight: Array, sparsity: float) -> Array:
    """`magnitude_mask`."""
    return _plain(program.magnitude_mask(torch.from_numpy(weight), sparsity))


def group_mask(program: ModuleType, *, scores: Array, n: int, m: int) -> Any:
    """`n_of_m_mask`, or the name of the error that it raised."""
    try:
        return _plain(program.n_of_m_mask(torch.from_numpy(scores), n, m))
    except ValueError:
        return "ValueError"


def wanda(program: ModuleType, *, weight: Array, inputs: Array, sparsity: float) -> Answer:
    """Scores and mask by inputs."""
    given = torch.from_numpy(weight), torch.from_numpy(inputs)
    return {"scores": _plain(program.wanda_scores(*given)), "mask": _plain(program.wanda_mask(*given, sparsity))}


def best_on_mask(program: ModuleType, *, weight: Array, hessian: Array, mask: Array) -> Array:
    """`least_squares_on_mask`."""
    return _plain(program.least_squares_on_mask(*map(torch.from_numpy, (weight, hessian, mask))))


def pruned(
    program: ModuleType, *, weight: Array, hessian: Array, pattern: list[int] | None = None, **how: Any
) -> Answer:
    """`sparsegpt`, and whether it left its inputs alone."""
    given = torch.from_numpy(weight.copy()), torch.from_numpy(hessian.copy())
    found, mask = program.sparsegpt(*given, pattern=tuple(pattern) if pattern else None, **how)
    kept = all(np.array_equal(a, b.numpy()) for a, b in zip((weight, hessian), given, strict=True))
    return {"weight": _plain(found), "mask": _plain(mask), "kept": kept}


def pruned_layers(
    program: ModuleType, *, layers: list[Answer], pattern: list[int] | None, sparsity: float
) -> list[Answer]:
    """Each layer's mask by Wanda, and its weights and mask by SparseGPT."""
    found = []
    for one in layers:
        weight, inputs = torch.from_numpy(one["weight"]), torch.from_numpy(one["inputs"])
        if pattern:
            by_inputs = program.n_of_m_mask(program.wanda_scores(weight, inputs), *pattern)
        else:
            by_inputs = program.wanda_mask(weight, inputs, sparsity)
        arguments = {"sparsity": sparsity, "block": 32, "pattern": tuple(pattern) if pattern else None}
        new, mask = program.sparsegpt(weight.double(), (inputs.T @ inputs).double(), **arguments)
        found.append({"wanda": _plain(by_inputs), "weight": _plain(new.float()), "mask": _plain(mask)})
    return found


def compressed(program: ModuleType, *, weight: Array) -> Any:
    """`compress_2_4` and what `expand_2_4` makes of it, or the name of the error."""
    try:
        values, positions = program.compress_2_4(torch.from_numpy(weight))
    except ValueError:
        return "ValueError"
    back = program.expand_2_4(values, positions)
    return {"values": _plain(values), "positions": _plain(positions), "back": _plain(back)}


def sparse_product(program: ModuleType, *, weight: Array, x: Array) -> Array:
    """`matmul_2_4` of a packed weight on the processor."""
    return _plain(program.matmul_2_4(program.pack_2_4(torch.from_numpy(weight)), torch.from_numpy(x)))


def timed_sparse(
    program: ModuleType, *, seed: int, audit: bool, sizes: dict[str, int], dense: bool = False
) -> dict[str, Any]:
    """One timed product on a GPU, with a weight that was packed before the clock starts: sparse, or dense by torch."""
    from driver import timing  # noqa: PLC0415 - put there by what runs the driver

    shapes = [[sizes["out"], sizes["width"]], [sizes["tokens"], sizes["width"]]]
    weight, x = timing.draw(seed, shapes, "float16", "cuda")
    generator = torch.Generator("cuda").manual_seed(seed)
    which = torch.randint(len(PAIRS), (sizes["out"], sizes["width"] // 4), device="cuda", generator=generator)
    stays = torch.tensor([[at in pair for at in range(4)] for pair in PAIRS], device="cuda")
    weight *= stays[which].flatten(1)
    if dense:
        return dict(timing.timed(lambda one: one @ weight.T, [x], seed, audit=audit))
    packed = program.pack_2_4(weight)
    return dict(timing.timed(lambda one: program.matmul_2_4(packed, one), [x], seed, audit=audit))


def project_sparse(_: ModuleType, *, seed: int, salt: int) -> list[float]:
    """The output of a timed call, multiplied by random vectors."""
    from driver import timing  # noqa: PLC0415

    return list(timing.project(seed, salt))
