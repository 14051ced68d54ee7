"""Speed, graded on the ratio to the instructor's solution in the same session, from calls whose outputs were all checked.

The two programs run in turn, each in a sandbox of its own, on the same fresh inputs. What the student's process reports is a claim.
The judge's own clock around the whole request has to be explained by it: what a request takes beyond its claim is the same for both
programs, so time that the student's requests take beyond that was hidden. Results that cannot be are held for staff, never scored.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .expect import CheckFailed
from .measure import Ratio, median_interval

DISCARDED = 3
AUDITS = 5
UNSTEADY = 0.05  # of the ratios' median: above it, more rounds are taken
# What may stay unexplained: a share of the reference's time, and what a host takes more or less for a request. Labs choose work that takes
# several times the latter, or there is nothing to tell apart.
HIDDEN_SHARE, HIDDEN_MS = 0.25, 0.25
FLOOR_SLACK = 1.02


class Timed(Protocol):
    """A program whose driver has `timed` and `project`."""

    def call(self, function: str, /, **arguments: Any) -> Any: ...
    def processor_s(self) -> float | None: ...


class TimedDriver:
    """A program whose driver has `timed_NAME` and `project_NAME`, as `SpeedTrial` calls them; `sizes` go with every timed call."""

    def __init__(self, program: Any, name: str, sizes: dict[str, int]) -> None:
        self.program, self.processor_s, self.name, self.sizes = program, program.processor_s, name, sizes

    def call(self, function: str, **arguments: Any) -> Any:
        """The driver's function of this kind, "timed" or "project"."""
        sizes = {"sizes": self.sizes} if function == "timed" else {}
        return self.program.call(f"{function}_{self.name}", **arguments, **sizes)

    def median_ms(self, rng: np.random.Generator, *, calls: int = 7, **arguments: Any) -> float:
        """What a call takes, in milliseconds; the first two of `calls` are not counted."""
        seeds = [int(seed) for seed in rng.integers(1 << 31, size=calls)]
        times = [self.call("timed", seed=seed, audit=False, **arguments)["claim_ms"] for seed in seeds]
        return float(statistics.median(times[2:]))


class CheckHeld(Exception):  # noqa: N818 - for a person to look at, no fault of ours
    """A result that cannot be what it claims to be. The text is for staff; the student is told that staff will look."""


@dataclass(frozen=True)
class Request:
    """One timed call: what it claims, and what the whole request took by the judge's clock and by the processor's books, in ms."""

    claim_ms: float
    wall_ms: float
    processor_ms: float | None


@dataclass(frozen=True)
class Round:
    """The same call by both programs."""

    student: Request
    reference: Request

    @property
    def ratio(self) -> float:
        """Claim over claim."""
        return self.student.claim_ms / self.reference.claim_ms

    def hidden_ms(self, *, on_processor: bool) -> float:
        """Time of the student's request that neither its claim nor what the reference's request also takes explains.

        Where the work is the processor's, its books count too: a clock on the wall runs on while others have the processor.
        """
        mine, theirs = self.student, self.reference
        claimed = mine.claim_ms - theirs.claim_ms
        wall = mine.wall_ms - theirs.wall_ms - claimed
        if not on_processor or mine.processor_ms is None or theirs.processor_ms is None:
            return wall
        return min(wall, mine.processor_ms - theirs.processor_ms - claimed)


class SpeedTrial:
    """Compares two programs through their driver's functions `timed(seed, audit, …)` and `project(seed, salt)`.

    `floor_ms` is the least time that the hardware needs for a call; `rtol` bounds the difference of the outputs' projections;
    `on_gpu` says where the work is done.
    """

    def __init__(
        self,
        student: Timed,
        reference: Timed,
        rng: np.random.Generator,
        *,
        floor_ms: float,
        rtol: float,
        on_gpu: bool,
        **arguments: Any,
    ) -> None:
        self._student, self._reference, self._rng = student, reference, rng
        self._floor_ms, self._rtol, self._on_gpu, self._arguments = floor_ms, rtol, on_gpu, arguments

    def run(self, rounds: int = 20) -> Ratio:
        """The median ratio of claims; raises `CheckFailed` for a wrong output and `CheckHeld` for an impossible time."""
        for _ in range(DISCARDED):
            self._round(swap=False)
        kept = [self._round(swap=bool(i % 2)) for i in range(rounds)]
        if _spread(kept) > UNSTEADY:
            kept += [self._round(swap=bool(i % 2)) for i in range(2 * rounds)]
        self._hold_if_impossible(kept)
        ratios = sorted(one.ratio for one in kept)
        low, high = median_interval(ratios)
        return Ratio(statistics.median(ratios), low, high, len(ratios))

    def _round(self, *, swap: bool) -> Round:
        seed = int(self._rng.integers(1 << 31))
        if swap:
            theirs, mine = self._timed(self._reference, seed), self._timed(self._student, seed)
        else:
            mine, theirs = self._timed(self._student, seed), self._timed(self._reference, seed)
        self._compare(seed)
        return Round(mine, theirs)

    def _timed(self, program: Timed, seed: int, *, audit: bool = False) -> Request:
        used, started = program.processor_s(), time.perf_counter()
        said = program.call("timed", seed=seed, audit=audit, **self._arguments)
        wall_ms = (time.perf_counter() - started) * 1e3
        claim = float(said["claim_ms"])
        if said["at_return"] != said["after"]:
            raise CheckHeld("The output changed after the call had returned: it was computed behind the clock's back.")
        if said["unchanged"] is not True:
            raise CheckFailed("The call changed its inputs. Compute into a tensor of its own.")
        if not 0 < claim < float("inf"):
            raise CheckHeld(f"The call claims to have taken {claim} ms.")
        now = program.processor_s()
        return Request(claim, wall_ms, (now - used) * 1e3 if now is not None and used is not None else None)

    def _compare(self, seed: int) -> None:
        """Every timed output is checked, by products with random vectors drawn after it was computed."""
        salt = int(self._rng.integers(1 << 31))
        programs = (self._student, self._reference)
        got, want = (np.asarray(one.call("project", seed=seed, salt=salt), np.float64) for one in programs)
        scale = max(float(np.abs(want).max()), 1e-30)
        error = float(np.abs(got - want).max()) / scale if got.shape == want.shape else float("inf")
        if not error <= self._rtol:
            raise CheckFailed(f"A timed output is wrong: relative error {error:.2g}, tolerance {self._rtol:g}")

    def _hold_if_impossible(self, rounds: list[Round]) -> None:
        claim = statistics.median(one.student.claim_ms for one in rounds)
        reference = statistics.median(one.reference.claim_ms for one in rounds)
        # the lower end of its interval: noise is the benefit of the doubt
        hidden, _ = median_interval(sorted(one.hidden_ms(on_processor=not self._on_gpu) for one in rounds))
        audits = [self._timed(self._student, int(self._rng.integers(1 << 31)), audit=True) for _ in range(AUDITS)]
        audited = statistics.median(one.claim_ms for one in audits)
        slack = HIDDEN_SHARE * reference + HIDDEN_MS
        if claim * FLOOR_SLACK < self._floor_ms:
            raise CheckHeld(f"{claim:.4f} ms a call is below the hardware's floor of {self._floor_ms:.4f} ms.")
        if hidden > slack:
            raise CheckHeld(
                f"{hidden:.4f} ms a call are hidden: it claims {claim:.4f} ms, the reference {reference:.4f} ms."
            )
        if self._on_gpu and audited > claim + slack:
            raise CheckHeld(
                f"A call takes {audited:.4f} ms until the device is idle and claims {claim:.4f} ms: work runs on other streams."
            )


def _spread(rounds: list[Round]) -> float:
    """Median absolute deviation of the ratios, relative to their median."""
    ratios = [one.ratio for one in rounds]
    middle = statistics.median(ratios)
    return statistics.median(abs(ratio - middle) for ratio in ratios) / middle
