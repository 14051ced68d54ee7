"""Kernels beside what a user would take instead: medians with spread, in one run, against the floor that bytes and operations set.

Contenders of a case take turns, round by round, with the L2 cache cleared before each call (`triton.testing.do_bench`), so a card that
slows down slows all of them. A family is a module with `cases() -> Iterator[Case]`; `python -m tests.benchmarks.kernels` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any

Run = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Milliseconds a call: the median of all calls, and between which four fifths of them lie."""

    ms: float
    low: float
    high: float
    calls: int


@dataclass(frozen=True)
class Goal:
    """Ours is to be at least `factor` times as fast as the contender of this name."""

    against: str
    factor: float


@dataclass(frozen=True)
class Case:
    """One shape of one kernel. `contenders` maps names to calls; ours is called `ours`.

    `bytes` and `flops` are the least that any implementation moves and computes; with the ceilings measured in the same run
    (`copy` in bytes/s, `peak` in FLOP/s for `peak_of`) they give the floor.
    """

    family: str
    name: str
    contenders: Mapping[str, Run]
    bytes: float = 0.0
    flops: float = 0.0
    peak_of: str = "bf16"  # which measured matrix rate bounds it: bf16, fp8, int8
    goals: tuple[Goal, ...] = ()
    floor_goal: float | None = None  # the least part of the floor's speed that is asked for
    note: str = ""


@dataclass(frozen=True)
class Row:
    """What a case gave."""

    family: str
    name: str
    timings: dict[str, Timing]
    floor_ms: float
    bound: str  # "bytes" or "flops"
    bytes: float
    flops: float
    goals: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""

    def line(self) -> str:
        """A line for people: ours, its part of the floor, and each other with the ratio."""
        ours = self.timings["ours"]
        rate = self.flops / ours.ms / 1e9 if self.bound == "flops" else self.bytes / ours.ms / 1e6
        unit = "TFLOP/s" if self.bound == "flops" else "GB/s"
        others = " ".join(f"{n} {t.ms:.4f} ({t.ms / ours.ms:.2f}x)" for n, t in self.timings.items() if n != "ours")
        met = " ".join(f"[{g['text']} {'met' if g['met'] else 'MISSED'}]" for g in self.goals)
        floor = f"{self.floor_ms / ours.ms:.0%} of floor"
        return f"{self.family:10} {self.name:34} {ours.ms:9.4f} ms {rate:7.0f} {unit:7} {floor:>12}  {others} {met}"


def captured(run: Run) -> Run:
    """A CUDA graph of a call, as decoders launch a step: what the host takes for a launch would hide short kernels."""
    import torch  # the machine that reads measurements has none

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = run()

    def replay() -> object:
        graph.replay()
        return kept  # the graph writes into it, so it must live as long as the graph

    return replay


def measure(case: Case, ceilings: Mapping[str, float], *, rounds: int = 3, warmup: int = 20, rep: int = 60) -> Row:
    """Times the contenders in turns. `ceilings`: `copy` in bytes/s and a matrix rate in FLOP/s for each name in `peak_of`."""
    from triton.testing import do_bench  # needs a driver, so not at import

    times: dict[str, list[float]] = {name: [] for name in case.contenders}
    for _ in range(rounds):
        for name, run in case.contenders.items():
            times[name] += do_bench(run, warmup=warmup, rep=rep, return_mode="all")
    timings = {name: _timing(all_) for name, all_ in times.items()}
    by_bytes, by_flops = case.bytes / ceilings["copy"] * 1e3, case.flops / ceilings[case.peak_of] * 1e3
    floor_ms, bound = max((by_bytes, "bytes"), (by_flops, "flops"))
    goals = [_held(goal, timings) for goal in case.goals if goal.against in timings]
    if case.floor_goal is not None:
        reached = floor_ms / timings["ours"].ms
        goals.append(
            {"text": f">= {case.floor_goal:.0%} of floor", "reached": reached, "met": reached >= case.floor_goal}
        )
    return Row(case.family, case.name, timings, floor_ms, bound, case.bytes, case.flops, goals, case.note)


def as_json(row: Row) -> dict[str, Any]:
    """A row as plain data."""
    return asdict(row)


def _timing(times: list[float]) -> Timing:
    cuts = quantiles(times, n=10) if len(times) > 1 else [times[0]] * 9
    return Timing(median(times), cuts[0], cuts[-1], len(times))


def _held(goal: Goal, timings: Mapping[str, Timing]) -> dict[str, Any]:
    reached = timings[goal.against].ms / timings["ours"].ms
    return {"text": f">= {goal.factor} x {goal.against}", "reached": reached, "met": reached >= goal.factor}
