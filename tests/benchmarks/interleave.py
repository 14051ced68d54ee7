"""Paired, interleaved timing: two functions in turn, and the ratio of what they took.

On a machine that others share, the time of one function drifts by tens of per cent within a minute; the ratio of two that
run one after the other hardly moves. Each round times both, in alternating order, and gives one ratio; the median of the
ratios and a bootstrap interval of that median are what is reported.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np


@dataclass(frozen=True)
class Paired:
    """Medians in seconds a call, the median ratio ours / theirs, and its 95 % interval."""

    ours_s: float
    theirs_s: float
    ratio: float
    low: float
    high: float
    rounds: int


def _seconds(function: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        function()
    return (clock() - start) / calls


def _interval(ratios: list[float], draws: int = 2000) -> tuple[float, float]:
    """Percentile bootstrap of the median, with a fixed seed so that the same times give the same interval."""
    sample = np.random.default_rng(0).choice(np.array(ratios), (draws, len(ratios)))
    low, high = np.percentile(np.median(sample, axis=1), [2.5, 97.5])
    return float(low), float(high)


def interleaved(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int = 31,
    calls: int = 1,
    warmup: int = 3,
    clock: Callable[[], float] = perf_counter,
) -> Paired:
    """Times ours and theirs in turn, `calls` calls at a time, over `rounds` rounds after `warmup` rounds.

    Garbage is collected between rounds and not within them only if it would be anyway: the collector stays on, since
    what it costs is part of what an engine of many small objects costs. `clock` may be `thread_time`, what one thread took of
    a core, where both run in one thread.
    """
    for _ in range(warmup):
        ours(), theirs()
    first, second = [], []
    for i in range(rounds):
        gc.collect()
        if i % 2:
            second.append(_seconds(theirs, calls, clock))
            first.append(_seconds(ours, calls, clock))
        else:
            first.append(_seconds(ours, calls, clock))
            second.append(_seconds(theirs, calls, clock))
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    return Paired(median(first), median(second), median(ratios), *_interval(ratios), rounds)
