"""What the pattern page shows: every component in every state, made of the same types as the product's pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from courses.pages import ChipKind, StateChip
from grader.contract import Chart, ChartLine, CheckResult, Comparison, Measurement, Side, Verdict
from grading.faults import Fault
from grading.figures import LaneFigures
from grading.health import CanaryRow, WorkerRow
from grading.models import Status
from grading.progress import CheckState, ProgressCheck, ProgressSnapshot
from grading.selectors import CHIPS, SET_ASIDE
from mlsys_core.papers.flash_attention import flash_loaded_elements
from projects.presentations.running import OpenTalk
from web import patterns_health as health
from web.templatetags.ui import CHECK_MARKS

Theme = Literal["light", "dark"]
CHIP_WORDS: dict[ChipKind, str] = {
    "pass": "Graded",
    "fail": "Not handed in",
    "warn": "Draft saved",
    "run": "Running",
    "muted": "Not started",
}
NOTICES = (
    ("info", "Lab 2 opens on Tuesday 3 March."),
    ("success", "Score set. Grace sees it once you release it."),
    ("warning", "Our grader failed, not your code. It runs again by itself."),
    (
        "error",
        "The zip holds the entry '../x', which points outside the zip. Make the zip again from inside your folder.",
    ),
    ("running", "The checks run again. Until they end, the earlier result stands below."),
)
OPEN_TALKS = (
    OpenTalk("Bubble Wrap", "#", is_own=False, rated=False),
    OpenTalk("Bubble Wrap", "#", is_own=False, rated=True),
    OpenTalk("Your team", "#", is_own=True, rated=False),
)

SOURCE = """\
def mul_vjp(cotangent, output, a, b):
    # d(ab) = b da + a db
    return cotangent * b, cotangent * a"""


@dataclass(frozen=True)
class PartOf:
    """A task's part of a meter."""

    id: str
    score: float
    max_score: float


@dataclass(frozen=True)
class Sample:
    """All components once, in one theme. Check names differ by theme, so that ids stay unique."""

    theme: Theme
    checks: tuple[CheckResult, ...]
    canaries: tuple[CanaryRow, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class PatternsPage:
    """The examples on the page."""

    samples: tuple[Sample, ...]
    chips: tuple[StateChip, ...]
    marks: tuple[str, ...]
    notices: tuple[tuple[str, str], ...]
    open_talks: tuple[OpenTalk, ...]
    snapshots: tuple[ProgressSnapshot, ...]
    tasks: tuple[PartOf, ...]
    scores: tuple[float, ...]
    attempts: tuple[float, ...]
    source: str
    lanes: tuple[LaneFigures, ...]
    workers: tuple[WorkerRow, ...]


def patterns_page() -> PatternsPage:
    """The examples on the page."""
    return PatternsPage(
        samples=tuple(
            Sample(theme, _checks(theme), health.canaries(theme), health.faults(theme)) for theme in get_args(Theme)
        ),
        chips=(*(StateChip(kind, word) for kind, word in CHIP_WORDS.items()), CHIPS[Status.NEEDS_STAFF], SET_ASIDE),
        marks=tuple(CHECK_MARKS),
        notices=NOTICES,
        open_talks=OPEN_TALKS,
        snapshots=_snapshots(),
        tasks=(
            PartOf("1", 14, 20),
            PartOf("2", 13.6, 15),
            PartOf("3", 15, 15),
            PartOf("4", 9.5, 15),
            PartOf("5", 0, 15),
            PartOf("6", 10, 10),
            PartOf("7", 8, 10),
        ),
        scores=(12, 31, 48, 55, 62, 70.1, 74, 79, 81, 84, 88, 92.5, 97, 100, 100),
        attempts=(12, 34, 55.5, 70.1),
        source=SOURCE,
        lanes=health.lanes(),
        workers=health.workers(),
    )


def _checks(theme: Theme) -> tuple[CheckResult, ...]:
    checks = (_failed(), _measured(), _counted(), _limited(), _hidden(), _passed())
    return tuple(msgspec.structs.replace(check, name=f"{theme}::{check.name}") for check in checks)


def _failed() -> CheckResult:
    return CheckResult(
        name="broadcast",
        task="1",
        title="broadcast_to: (4, 1) to (4, 3)",
        verdict=Verdict.FAILED,
        score=0,
        max_score=4,
        message="cotangent of a: returned float64 (4, 3), expected float64 (4, 1)",
        hidden=False,
        hint="A broadcast in the forward pass is a `sum` in the backward pass: bring the cotangent back to the operand's shape.",
        handout="1.5",
        duration_ms=12,
        comparison=Comparison(
            what="cotangent of a",
            expected=Side("(4, 1)", "float64", ("1.204", "1.204", "−0.31", "0.882")),
            got=Side("(4, 3)", "float64", ("−0.371", "0.882", "0.693", "…")),
            tolerance="1e-9",
        ),
        output="before the sum (4, 3)\n",
    )


def _measured() -> CheckResult:
    return CheckResult(
        name="sweep",
        task="2",
        title="Time of a sweep over 5,000 nodes, each visited once",
        verdict=Verdict.PASSED,
        score=6.1,
        max_score=7.5,
        message="",
        hidden=False,
        hint="Walk each shared sub-expression once, not once for each use.",
        handout="1.10",
        duration_ms=1900,
        measurement=Measurement("time of your sweep over the reference's", 2.1, "×", 1.5, 6.0, 2.0, 2.2, 15),
    )


def _counted() -> CheckResult:
    sizes = (16, 32, 64, 128, 256)
    loaded = tuple((float(size), 4.0 * flash_loaded_elements(512, 64, size)) for size in sizes)
    least = tuple((float(size), 4.0 * 3 * 512 * 64) for size in sizes)
    chart = Chart(
        "Bytes by BLOCK_M",
        "BLOCK_M",
        "bytes",
        (ChartLine("by the formula", loaded), ChartLine("each input once", least)),
        loaded[1],
        "Your kernel reads K 16 times; BLOCK_M = 128 reads it 4 times and loads a quarter of the bytes.",
        log_x=True,
        log_y=True,
    )
    return CheckResult(
        name="bytes",
        task="3",
        title="Bytes that the kernel reads, 512 × 64",
        verdict=Verdict.PASSED,
        score=1.2,
        max_score=2,
        message="",
        hidden=False,
        hint="A program that keeps more rows of Q walks over K and V less often.",
        handout="2.9",
        duration_ms=700,
        measurement=Measurement(
            "bytes loaded over those of BLOCK_M = 128", 1.6, "×", 1.05, 3.0, 1.6, 1.6, charts=(chart,)
        ),
    )


def _limited() -> CheckResult:
    return CheckResult(
        name="chain",
        task="2",
        title="A chain of 10,000 operations",
        verdict=Verdict.TIME_LIMIT,
        score=0,
        max_score=1.5,
        message="Stopped after 10.0 s of 10 s (wall clock).",
        hidden=False,
        hint="Replace the recursion by a list that you treat as a stack.",
        handout="1.9",
        duration_ms=10_000,
        staff_note="The process was alive and used 9.8 s of CPU.",
    )


def _hidden() -> CheckResult:
    return CheckResult(
        "ties", "1", "max: ties share the cotangent", Verdict.PASSED, 2, 2, "", hidden=True, duration_ms=9
    )


def _passed() -> CheckResult:
    return CheckResult("matmul", "1", "matmul: batched, both sides broadcast", Verdict.PASSED, 4, 4, "", hidden=False)


def _snapshots() -> tuple[ProgressSnapshot, ...]:
    states: tuple[CheckState, ...] = ("passed", "passed", "failed", "partly", "hidden", "error", "running", "waiting")
    checks = tuple(
        ProgressCheck(f"sample::{at}", "1", f"check {at + 1}", state, 1.0) for at, state in enumerate(states)
    )
    return (
        ProgressSnapshot(job_id=0, status="queued", label="Waiting", ahead=3, likely_s=40, at_most_s=130),
        ProgressSnapshot(job_id=0, status="running", label="Running", checks=checks, done=6, total=len(checks)),
        ProgressSnapshot(job_id=0, status="finished", label="Finished", finished=True),
        ProgressSnapshot(job_id=0, status="cancelled", label="Cancelled", finished=True),
        ProgressSnapshot(job_id=0, status="needs staff", label="Needs staff", finished=True),
    )
