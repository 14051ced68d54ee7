"""From what a check found to its verdict, points and message."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks.expect import CheckFailed, Difference
from ..checks.marks import CheckMarks
from ..checks.measure import Measured
from ..checks.timing import CheckHeld
from ..contract import CheckResult, Comparison, GradeReport, Measurement, Outcome, Side, Verdict
from ..sandbox.base import SandboxUnavailable
from .channel import HELD, StudentFault


class GraderFault(Exception):  # noqa: N818 - named like its counterpart, StudentFault
    """Our own checks or walls failed. Never charged to the student."""


class ReferenceFault(GraderFault):
    """The instructor's own solution failed."""


@dataclass(frozen=True)
class Found:
    """What running a check left behind."""

    raised: BaseException | None
    measured: Measured | None
    output: str
    duration_ms: float


def broke(raised: BaseException | None) -> bool:
    """Whether it was the check that broke, and not the code under check that failed it."""
    known = (StudentFault, CheckFailed, CheckHeld, SandboxUnavailable, GraderFault)
    return raised is not None and not isinstance(raised, known)


def unreadable(raised: BaseException | None) -> StudentFault:
    """What a check that breaks on one answer, and not on the reference solution's, comes to: the answer is at fault."""
    return StudentFault(
        Verdict.FAILED,
        "Your code returned something that this check cannot read.",
        staff_note=f"The check broke on this answer, not on the reference's: {type(raised).__name__}: {raised}"[:600],
    )


def crowded_out(raised: BaseException) -> StudentFault:
    """What it comes to when the reference fails beside the submission on one GPU, and not when it has the card to itself."""
    return StudentFault(
        Verdict.MEMORY_LIMIT,
        "While your program ran, the GPU had no room left for the instructor's program, which it is compared with. "
        "Free what you no longer need, and hold less than half of the card's memory.",
        staff_note=f"Alone on the card the reference passes this check; beside this submission: {raised}"[:600],
    )


def score_check(marks: CheckMarks, found: Found) -> CheckResult:
    """The result of one check; raises `GraderFault` when it was the check itself that broke."""
    verdict, message, comparison = _judge(marks, found.raised)
    passed = verdict is Verdict.PASSED
    share = found.measured.fraction if passed and found.measured else float(passed)
    return CheckResult(
        name=marks.name,
        task=marks.task,
        title=marks.title,
        verdict=verdict,
        score=round(marks.points * share, 2),
        max_score=marks.points,
        message=_measured_sentence(found.measured) if passed and found.measured else message,
        hidden=marks.hidden,
        hint="" if share == 1.0 else marks.hint,
        handout=marks.handout,
        duration_ms=round(found.duration_ms, 2),
        comparison=comparison,
        measurement=_measurement(found.measured) if passed and found.measured else None,
        output=found.output,
        staff_note=_staff_note(found.raised),
        unwritten=isinstance(found.raised, StudentFault) and found.raised.unwritten,
    )


def _staff_note(raised: BaseException | None) -> str:
    if isinstance(raised, CheckHeld):
        return str(raised)
    return raised.staff_note if isinstance(raised, StudentFault) else ""


def _judge(marks: CheckMarks, raised: BaseException | None) -> tuple[Verdict, str, Comparison | None]:
    if raised is None:
        return Verdict.PASSED, "", None
    if isinstance(raised, StudentFault):
        return raised.verdict, str(raised), None
    if isinstance(raised, CheckFailed):
        return Verdict.FAILED, str(raised), _comparison(raised.difference) if raised.difference else None
    if isinstance(raised, CheckHeld):
        return Verdict.TAMPERED, HELD, None
    if isinstance(raised, SandboxUnavailable | GraderFault):
        raise GraderFault(str(raised)) from raised
    raise GraderFault(f"{marks.name} broke: {type(raised).__name__}: {raised}") from raised


def _comparison(difference: Difference) -> Comparison:
    return Comparison(
        what=difference.what,
        expected=Side(difference.expected_shape, difference.expected_dtype, difference.expected_values),
        got=Side(difference.got_shape, difference.got_dtype, difference.got_values),
        mismatches=difference.mismatches,
        max_error=difference.max_error,
        tolerance=difference.tolerance,
    )


def _measurement(measured: Measured) -> Measurement:
    return Measurement(
        name=measured.name,
        value=measured.value,
        unit=measured.unit,
        full_at=measured.full_at,
        zero_at=measured.zero_at,
        low=measured.low,
        high=measured.high,
        samples=measured.samples,
        charts=measured.charts,
    )


def _measured_sentence(measured: Measured) -> str:
    value = f"{measured.value:.3g} {measured.unit}".strip()
    spread = (
        f" (95 % interval {measured.low:.3g}–{measured.high:.3g}, {measured.samples} runs)"
        if measured.samples > 1
        else ""
    )
    return f"{measured.name}: {value}{spread}. Full points at {measured.full_at:g}, none at {measured.zero_at:g}."


def total(results: list[CheckResult]) -> float:
    """Points of all checks."""
    return round(sum(result.score for result in results), 2)


def refused(message: str, seed: int, max_score: float, lab: str, version: str) -> GradeReport:
    """The report of a submission that was not run."""
    return GradeReport(Outcome.REFUSED, 0.0, max_score, seed, message=message, lab=lab, lab_version=version)
