"""Task 7: caches that are quantized, that forget, and that choose, and the kernel that reads codes. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

from mlsys_core.kernels.meter import Meter

Array = np.ndarray
Answer = dict[str, Any]
GROUP = 64


def _plain(tensor: Any) -> Array:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"returned a {type(tensor).__name__}, expected a tensor")
    return np.array(tensor.detach().numpy())


def kivi_states(program: ModuleType, *, k: Array, v: Array, parts: list[int], **sizes: int) -> list[Answer]:
    """What is read and stored after each of some appends of so many tokens."""
    cache, at, states = program.KiviCache(**sizes), 0, []
    for count in parts:
        cache.append(*(torch.from_numpy(one[:, at : at + count].copy()) for one in (k, v)))
        at += count
        read = cache.read()
        stored = {str(name): _plain(one) for name, one in cache.stored().items()}
        states.append({"k": _plain(read[0]), "v": _plain(read[1]), "stored": stored})
    return states


def streamed(
    program: ModuleType, *, k: Array, v: Array, q: Array, sinks: int, window: int, looks: list[int]
) -> list[Answer]:
    """Buffers, what is read, and what is attended, after so many tokens."""
    heads, tokens, dim = k.shape
    cache, states = program.StreamingCache(sinks, window, heads, dim), []
    for at in range(tokens):
        cache.append(torch.from_numpy(k[:, at].copy()), torch.from_numpy(v[:, at].copy()))
        if at + 1 in looks:
            read, out = cache.read(), cache.attend(torch.from_numpy(q[:, at].copy()))
            buffers = {"buffer_k": _plain(cache.k), "buffer_v": _plain(cache.v)}
            states.append({"k": _plain(read[0]), "v": _plain(read[1]), "out": _plain(out)} | buffers)
    return states


def hitters(program: ModuleType, *, scores: Array, budget: int, recent: int) -> Array:
    """`heavy_hitters`."""
    return _plain(program.heavy_hitters(torch.from_numpy(scores), budget, recent))


def attention_kept(program: ModuleType, *, q: Array, k: Array, budget: int, kernel: int) -> Array:
    """`snapkv`."""
    return _plain(program.snapkv(torch.from_numpy(q), torch.from_numpy(k), budget, kernel))


def needles_kept(program: ModuleType, *, q: Array, k: Array, budget: int) -> Array:
    """`keep_tokens`."""
    return _plain(program.keep_tokens(torch.from_numpy(q), torch.from_numpy(k), budget))


def quantized_attention(program: ModuleType, *, arrays: list[Array]) -> Answer:
    """`quantized_decode` in the interpreter under the meter."""
    tensors = [torch.from_numpy(one.copy()) for one in arrays]
    with Meter() as meter:
        out = program.quantized_decode(*tensors)
    report = meter.report()
    findings = [str(one["text"]) for one in report["findings"][:3]]
    return {"out": _plain(out), "found": findings, "loaded": int(report["loaded"]), "launches": int(report["launches"])}


def timed_quantized(
    program: ModuleType, *, seed: int, audit: bool, sizes: dict[str, int], plain: bool = False
) -> dict[str, Any]:
    """One timed call on a GPU: of the student's kernel, or of torch's attention over the same cache in float16."""
    from driver import timing  # noqa: PLC0415 - put there by what runs the driver

    inputs = _drawn(timing, seed, sizes)
    if plain:
        q, k, v = inputs[0], *_expanded(inputs)
        attend = torch.nn.functional.scaled_dot_product_attention
        return dict(
            timing.timed(
                lambda *x: attend(x[0][:, :, None], x[1], x[2], enable_gqa=True)[:, :, 0], [q, k, v], seed, audit=audit
            )
        )
    return dict(timing.timed(program.quantized_decode, inputs, seed, audit=audit))


def project_quantized(_: ModuleType, *, seed: int, salt: int) -> list[float]:
    """The output of a timed call, multiplied by random vectors."""
    from driver import timing  # noqa: PLC0415

    return list(timing.project(seed, salt))


def _drawn(timing: Any, seed: int, sizes: dict[str, int]) -> list[torch.Tensor]:
    """A query and a cache of random codes on the GPU, the same for the same seed."""
    batch, heads, kv, n, d = (sizes[name] for name in ("batch", "heads", "kv_heads", "n", "d"))
    shapes = [[batch, heads, d], [batch, kv, n // GROUP, d], [batch, kv, n // GROUP, d], [batch, kv, n], [batch, kv, n]]
    q, k_scale, k_zero, v_scale, v_zero = timing.draw(seed, shapes, "float16", "cuda")
    generator = torch.Generator("cuda").manual_seed(seed)
    codes = [
        torch.randint(0, 256, (batch, kv, n, d // 2), dtype=torch.uint8, device="cuda", generator=generator)
        for _ in "kv"
    ]
    k_scale, v_scale = ((one.abs() + 0.5) / 15 for one in (k_scale, v_scale))
    return [q, codes[0], k_scale, k_zero - 0.8, codes[1], v_scale, v_zero]


def _expanded(inputs: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values in float16."""
    _, k_codes, k_scale, k_zero, v_codes, v_scale, v_zero = inputs
    k, v = (torch.cat((one & 15, one >> 4), -1).half() for one in (k_codes, v_codes))
    k = k * k_scale.repeat_interleave(GROUP, 2) + k_zero.repeat_interleave(GROUP, 2)
    return k, v * v_scale[..., None] + v_zero[..., None]
