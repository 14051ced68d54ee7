"""Task 1: the KV cache, rotary positions, attention to slots, and generation. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray
Answer = dict[str, Any]
Tensor = torch.Tensor


def rotated(program: ModuleType, *, x: Array, positions: Array) -> Array:
    """`rope` with its own base."""
    return _plain(program.rope(torch.from_numpy(x), torch.from_numpy(positions)))


def _plain(tensor: Any) -> Array:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"returned a {type(tensor).__name__}, expected a tensor")
    return tensor.detach().numpy()


def cache_trace(
    program: ModuleType, *, config: dict[str, int], batch: int, capacity: int, dtype: str, writes: list[Answer]
) -> Answer:
    """A cache's contents after some writes to its last layer, what `read` gives of it, and whether that shares the cache's memory."""
    cache = program.KVCache(program.Config(**config), batch, capacity, getattr(torch, dtype))
    layer = config["layers"] - 1
    for one in writes:
        cache.write(layer, *(torch.from_numpy(one[name]) for name in ("k", "v", "positions")))
    read = cache.read(layer)
    shared = all(
        a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
        for a, b in zip(read, (cache.k, cache.v), strict=True)
    )
    return {
        "k": _plain(read[0]),
        "v": _plain(read[1]),
        "used": int(cache.used),
        "shared": shared,
        "first": _plain(cache.k[0]),
    }


def attended(program: ModuleType, *, q: Array, k: Array, v: Array, positions: Array) -> Array:
    """`cached_attention`."""
    return _plain(program.cached_attention(*map(torch.from_numpy, (q, k, v, positions))))


def token_positions(program: ModuleType, *, mask: Array) -> Array:
    """`token_positions` of a mask."""
    return _plain(program.token_positions(torch.from_numpy(mask)))


def _model(program: ModuleType, config: dict[str, int], weights: dict[str, Array]) -> Any:
    return program.Model(program.Config(**config), {name: torch.from_numpy(one) for name, one in weights.items()})


def generated(
    program: ModuleType,
    *,
    config: dict[str, int],
    weights: dict[str, Array],
    tokens: Array,
    mask: Array,
    steps: int,
    dtype: str = "float32",
) -> Array:
    """The tokens that `generate_tokens` chooses."""
    model = _model(program, config, weights)
    with torch.no_grad():
        return _plain(
            program.generate_tokens(
                model, torch.from_numpy(tokens), torch.from_numpy(mask), steps, getattr(torch, dtype)
            )
        )


def counted_generation(
    program: ModuleType, *, config: dict[str, int], weights: dict[str, Array], tokens: Array, mask: Array, steps: int
) -> Answer:
    """The tokens that `generate_tokens` chooses, and the operations of the matrix products on the way."""
    from driver import counts  # noqa: PLC0415 - the driver, whose part this is, is loaded after it

    model = _model(program, config, weights)
    inputs = [torch.from_numpy(tokens), torch.from_numpy(mask)]
    with torch.no_grad():
        flops, out = counts.flops(lambda a, b: program.generate_tokens(model, a, b, steps), inputs)
    return {"flops": flops, "tokens": _plain(out)}


def predicted_generation(program: ModuleType, *, config: dict[str, int], batch: int, prompt: int, steps: int) -> Any:
    """What `predict_generation_flops` says."""
    return program.predict_generation_flops(program.Config(**config), batch, prompt, steps)
