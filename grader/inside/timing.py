"""One timed call at a time, on a GPU or a CPU. What it measures is a claim: the judge holds it against its own clock.

Each call gets contents that it has not seen at places that it has not had, with the two sets before it kept alive; the second-level cache
is overwritten and its persisting lines are given up. On a GPU the claim is the time between two events around the call on the current
stream; an audit waits for the whole device before the second one, so that work on other streams shows. The output is fingerprinted
when the call returns and again when the device is idle.

A lab's driver uses it as `timing`; torch is imported when it is first called.
"""

from __future__ import annotations

import ctypes
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

PERSISTING_L2_LIMIT = 6  # CU_LIMIT_PERSISTING_L2_CACHE_SIZE
CPU_CACHE_BYTES = 64 << 20
PRIME, ROW = 65_521, 512

Tensor = Any

_alive: deque[Sequence[Tensor]] = deque(maxlen=2)
_kept: dict[int, Tensor] = {}
_flush: dict[str, Tensor] = {}


def draw(seed: int, shapes: Sequence[Sequence[int]], dtype: str, device: str) -> list[Tensor]:
    """Standard normal tensors of these shapes, the same for the same seed on the same device."""
    import torch  # noqa: PLC0415

    generator = torch.Generator(device).manual_seed(seed)
    kind = getattr(torch, dtype)
    return [torch.randn(*shape, generator=generator, device=device).to(kind) for shape in shapes]


def timed(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], key: int, *, audit: bool = False
) -> dict[str, Any]:
    """Call `function(*inputs)` once. Returns `claim_ms`, the fingerprints `at_return` and `after`, and whether the inputs are `unchanged`.

    The output is kept under `key` for `project` and `output`; raises `TypeError` for anything but a plain tensor.
    """
    import torch  # noqa: PLC0415

    fresh = [x.clone() for x in inputs]
    _alive.append(fresh)
    cuda = bool(inputs) and inputs[0].is_cuda
    _empty_cache(inputs[0].device.type)
    claim, out = (_by_events if cuda else _by_clock)(function, fresh, audit)
    if type(out) is not torch.Tensor or out.device != fresh[0].device:
        raise TypeError(f"returned a {type(out).__name__}, expected a plain tensor on {fresh[0].device}")
    at_return = _fingerprint(out)
    if cuda:
        torch.cuda.synchronize()
    _kept[key] = out
    unchanged = all(bool(torch.equal(a, b)) for a, b in zip(fresh, inputs, strict=True))
    return {"claim_ms": claim, "at_return": at_return, "after": _fingerprint(out), "unchanged": unchanged}


def project(key: int, salt: int, count: int = 8) -> list[float]:
    """The kept output of a timed call, multiplied by `count` random vectors that nobody knew when it was computed."""
    import torch  # noqa: PLC0415

    flat = _kept[key].detach().reshape(-1).double()
    generator = torch.Generator(flat.device).manual_seed(salt)
    return [
        float(flat @ torch.randn(flat.numel(), generator=generator, device=flat.device, dtype=torch.float64))
        for _ in range(count)
    ]


def output(key: int) -> Any:
    """The kept output as a numpy array (float32 where the tensor's type has no numpy twin), and forget it."""
    out = _kept.pop(key).detach().cpu()
    return (out.float() if str(out.dtype) in {"torch.bfloat16", "torch.float8_e4m3fn"} else out).numpy()


def warm() -> None:
    """Make the context of the GPU, so that a run does not wait for it."""
    import torch  # noqa: PLC0415

    torch.zeros(1, device="cuda").item()


def _by_events(function: Callable[..., Tensor], fresh: Sequence[Tensor], audit: bool) -> tuple[float, Tensor]:  # noqa: FBT001
    import torch  # noqa: PLC0415

    event: Any = torch.cuda.Event
    start, end = event(enable_timing=True), event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()
    out = function(*fresh)
    if audit:
        torch.cuda.synchronize()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)), out


def _by_clock(function: Callable[..., Tensor], fresh: Sequence[Tensor], _: bool) -> tuple[float, Tensor]:  # noqa: FBT001
    started = time.perf_counter_ns()
    out = function(*fresh)
    return (time.perf_counter_ns() - started) / 1e6, out


def _empty_cache(device: str) -> None:
    """Overwrite twice the second-level cache; on a GPU give up lines that were told to persist first."""
    import torch  # noqa: PLC0415

    if device == "cuda":
        driver = ctypes.CDLL("libcuda.so.1")
        driver.cuCtxSetLimit(PERSISTING_L2_LIMIT, ctypes.c_size_t(0))
        driver.cuCtxResetPersistingL2Cache()
    if device not in _flush:
        size = 2 * torch.cuda.get_device_properties(0).L2_cache_size if device == "cuda" else CPU_CACHE_BYTES
        _flush[device] = torch.empty(size, dtype=torch.uint8, device=device)
    _flush[device].fill_(1)


def _fingerprint(out: Tensor) -> int:
    """A sum of the output's words, each row of them weighted by its place; computed on the stream that the call was made on.

    Sums along rows make no copy of the output, so that looking at it takes little beside computing it.
    """
    import torch  # noqa: PLC0415

    flat = out.detach().contiguous().reshape(-1).view(torch.uint8)
    whole = flat.numel() // ROW * ROW
    rows = flat[:whole].view(torch.int32).view(-1, ROW // 4).sum(dim=1, dtype=torch.int64)
    places = torch.arange(rows.numel(), device=flat.device) % PRIME + 1
    return int(((rows * places).sum() + flat[whole:].sum(dtype=torch.int64)).item())
