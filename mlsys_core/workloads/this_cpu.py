"""What the processor that runs this can do at most, measured on one thread.

Idea      No data sheet knows the machine at hand. Two short measurements do: a product for its arithmetic, a copy for its memory.
Equation  FLOP/s = 2 n³ / time of a product of n × n matrices;  bytes/s = 2 · size / time of a copy (read and written)
Paper     J. McCalpin, "Memory bandwidth and machine balance", IEEE TCCA newsletter, 1995 (STREAM: why a copy).
Cost      About a third of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from types import MappingProxyType

import torch

from mlsys_core.workloads.devices import Device


def this_cpu(*, edge: int = 512, megabytes: int = 64, repeats: int = 7) -> Device:
    """One thread of the processor that runs this, measured: products of edge × edge matrices, and copies.

    The copied array should be larger than the caches. Medians of `repeats`, after one run that does not count.
    """
    with _one_thread():
        flops = {
            name: 2 * edge**3 / _seconds(lambda a, b, out: torch.mm(a, b, out=out), _square(edge, dtype), repeats)
            for name, dtype in (("float32", torch.float32), ("float64", torch.float64))
        }
        count = megabytes * 2**20 // 4
        arrays = (torch.ones(count), torch.empty(count))
        seconds = _seconds(lambda source, target: target.copy_(source), arrays, repeats)
    # the memory of a processor is the machine's, and no limit here
    return Device(
        "this CPU", MappingProxyType(flops), 2 * 4 * count / seconds, float("inf"), source="measured, one thread"
    )


def _square(edge: int, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    draws = torch.Generator().manual_seed(0)
    a, b = (torch.rand(edge, edge, dtype=dtype, generator=draws) for _ in range(2))
    return a, b, torch.empty_like(a)


def _seconds(run: Callable[..., object], arguments: tuple[torch.Tensor, ...], repeats: int) -> float:
    """Median time of a call."""
    run(*arguments)
    times = []
    for _ in range(repeats):
        start = perf_counter()
        run(*arguments)
        times.append(perf_counter() - start)
    return median(times)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
