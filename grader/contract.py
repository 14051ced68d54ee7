"""What the platform and the grader say to each other; the only data that crosses between them.

Everything here is an immutable `msgspec.Struct`: plain data, validated when it is decoded, written as JSON. Points are in the
lab's own scale, rounded to 0.01 where they are made; times are seconds (`_s`) or milliseconds (`_ms`).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

SCHEMA_VERSION = 1


class Verdict(StrEnum):
    """What a check found. Only the judge writes one; a student's process never does."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIME_LIMIT = "time limit"
    MEMORY_LIMIT = "memory limit"
    OUTPUT_LIMIT = "output limit"
    PROCESS_LIMIT = "process limit"
    DISK_LIMIT = "disk limit"
    REJECTED = "rejected"
    TAMPERED = "tampered"


class Outcome(StrEnum):
    """How a whole job ended. A refusal and a grader error cost no attempt and never lower a score."""

    GRADED = "graded"
    REFUSED = "refused"
    GRADER_ERROR = "grader error"


class Suite(StrEnum):
    """Which checks a job runs: the public ones (*Run checks*) or all of them (a submission)."""

    PUBLIC = "public"
    FULL = "full"


class SandboxKind(StrEnum):
    """Where student code runs. `TRUSTED` has no walls at all and is for the instructor's own code."""

    BUBBLEWRAP = "bubblewrap"
    DOCKER = "docker"
    TRUSTED = "trusted"


class Task(msgspec.Struct, frozen=True):
    """One graded part of a lab."""

    id: str
    title: str
    points: float


class CheckInfo(msgspec.Struct, frozen=True):
    """A check before it has run. `name` is its pytest id inside the lab, unique and stable between runs."""

    name: str
    task: str
    title: str
    max_score: float
    hidden: bool
    measured: bool = False


class Side(msgspec.Struct, frozen=True):
    """One side of a comparison: the shape and dtype as text and the first few values."""

    shape: str
    dtype: str
    values: tuple[str, ...]


class Comparison(msgspec.Struct, frozen=True):
    """Expected beside got, for the student. `mismatches` are indices into `got.values`."""

    what: str
    expected: Side
    got: Side
    mismatches: tuple[int, ...] = ()
    max_error: str = ""
    tolerance: str = ""


class ChartLine(msgspec.Struct, frozen=True):
    """What theory says, x rising."""

    label: str
    points: tuple[tuple[float, float], ...]


class Chart(msgspec.Struct, frozen=True):
    """Where a run lies (`you`) beside what theory says. `says` is the drawing in a sentence, and what would change it."""

    title: str
    x: str
    y: str
    lines: tuple[ChartLine, ...]
    you: tuple[float, float]
    says: str
    log_x: bool = False
    log_y: bool = False


class Measurement(msgspec.Struct, frozen=True):
    """A measured quantity and the curve that turned it into points (log-linear from `zero_at` to `full_at`)."""

    name: str
    value: float
    unit: str
    full_at: float
    zero_at: float
    low: float
    high: float
    samples: int = 1
    charts: tuple[Chart, ...] = ()


class CheckResult(msgspec.Struct, frozen=True):
    """A check after it has run. `message` is for the student; `staff_note` never reaches one.

    `unwritten`: the student version's stub answered, so there is no mistake yet, only work to do.
    """

    name: str
    task: str
    title: str
    verdict: Verdict
    score: float
    max_score: float
    message: str
    hidden: bool
    hint: str = ""
    handout: str = ""
    duration_ms: float = 0.0
    comparison: Comparison | None = None
    measurement: Measurement | None = None
    output: str = ""
    staff_note: str = ""
    unwritten: bool = False


class GradeReport(msgspec.Struct, frozen=True):
    """The result of one job, whole. With the same `seed` a report repeats itself but for its times."""

    outcome: Outcome
    score: float
    max_score: float
    seed: int
    checks: tuple[CheckResult, ...] = ()
    tasks: tuple[Task, ...] = ()
    lab: str = ""
    lab_version: str = ""
    suite: Suite = Suite.FULL
    message: str = ""
    notes: tuple[str, ...] = ()
    sandbox: str = ""
    duration_ms: float = 0.0
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """The report as one JSON object."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> GradeReport:
        """Read a stored report; raises `msgspec.ValidationError` when it is not one."""
        return msgspec.json.decode(data, type=cls)

    def for_student(self, *, show_hidden: bool) -> GradeReport:
        """The report as its student may see it: no staff notes, and of a hidden check only its title, points and hint."""
        return msgspec.structs.replace(
            self, checks=tuple(_for_student(check, show_hidden=show_hidden) for check in self.checks)
        )


class PointsOfCheck(msgspec.Struct, frozen=True):
    """What a check gave to its task."""

    task: str
    score: float


class PointsOfReport(msgspec.Struct, frozen=True):
    """The points in a stored report and nothing else: a tenth of the time that reading the whole report takes."""

    checks: tuple[PointsOfCheck, ...] = ()
    tasks: tuple[Task, ...] = ()

    @classmethod
    def from_json(cls, data: bytes | str) -> PointsOfReport:
        """Read them from a stored report; raises `msgspec.ValidationError` when it is not one."""
        return msgspec.json.decode(data, type=cls)


def _for_student(check: CheckResult, *, show_hidden: bool) -> CheckResult:
    if check.hidden and not show_hidden:
        return msgspec.structs.replace(
            check, message="", comparison=None, measurement=None, output="", staff_note="", duration_ms=0.0
        )
    return msgspec.structs.replace(check, staff_note="")


class SubmittedFile(msgspec.Struct, frozen=True):
    """One uploaded file: its name as the student gave it, where its bytes lie, and their SHA-256 in hex."""

    name: str
    path: str
    sha256: str


class JobSpec(msgspec.Struct, frozen=True):
    """Everything that grading one submission needs, and nothing about the person who made it.

    `tasks` are those whose checks run, where it is not all of them: for a lab's authors. `gpu`: a lab for any device is graded on one.
    """

    job_id: str
    lab_path: str
    files: tuple[SubmittedFile, ...]
    seed: int
    suite: Suite = Suite.FULL
    sandbox: SandboxKind = SandboxKind.BUBBLEWRAP
    allow_approximate_limits: bool = False
    tasks: tuple[str, ...] = ()
    gpu: bool = False


class JobStarted(msgspec.Struct, frozen=True, tag="started"):
    """The judge has the lab and is about to run these checks, in this order."""

    checks: tuple[CheckInfo, ...]


class CheckStarted(msgspec.Struct, frozen=True, tag="check_started"):
    """This check runs now."""

    name: str


class CheckFinished(msgspec.Struct, frozen=True, tag="check_finished"):
    """This check has its verdict."""

    result: CheckResult


GradingEvent = JobStarted | CheckStarted | CheckFinished


class LabSummary(msgspec.Struct, frozen=True):
    """A labs/ folder as the platform publishes it."""

    slug: str
    title: str
    version: str
    tasks: tuple[Task, ...]
    accepts: tuple[str, ...]
    handout: str
    max_wall_s: float
    checks: tuple[CheckInfo, ...]
    on_gpu: bool = False
    boards: tuple[str, ...] = ()  # names of the checks that have a board of best results

    @property
    def max_score(self) -> float:
        """Points of all tasks."""
        return round(sum(task.points for task in self.tasks), 2)


class PaperStyle(StrEnum):
    """What a PDF is held against."""

    NEURIPS_2020 = "neurips-2020"
    SLIDES = "slides"
    FREE = "free"


class FormatSpec(msgspec.Struct, frozen=True):
    """What looking at a PDF needs to know: where it lies, its style, and how many content pages are asked for (None: any number)."""

    file: SubmittedFile
    style: PaperStyle
    pages_from: int | None = None
    pages_to: int | None = None
    sandbox: SandboxKind = SandboxKind.BUBBLEWRAP
    allow_approximate_limits: bool = False


class FindingState(StrEnum):
    """What a rule found. A hint is for people to judge: it may be as it should be."""

    FAILED = "failed"
    HINT = "hint"
    PASSED = "passed"


class PageSize(msgspec.Struct, frozen=True):
    """A page's size in points, as a reader sees it."""

    page: int
    width: float
    height: float


class Place(msgspec.Struct, frozen=True):
    """A rectangle on a page, in points from the page's top left corner; pages count from 1."""

    page: int
    x: float
    y: float
    width: float
    height: float


class Finding(msgspec.Struct, frozen=True):
    """What one rule found: measured beside expected, what to do about it, and where it is seen."""

    rule: str
    title: str
    state: FindingState
    measured: str
    expected: str = ""
    advice: str = ""
    places: tuple[Place, ...] = ()


class SectionLength(msgspec.Struct, frozen=True):
    """A section of a paper: its heading, which recommended part it makes (empty: none), and its length in pages."""

    heading: str
    part: str
    page: int
    pages: float


class PartLength(msgspec.Struct, frozen=True):
    """A recommended part beside what was found: its length in pages over all of its sections; None where there is none."""

    part: str
    recommended: float
    pages: float | None


class FormatReport(msgspec.Struct, frozen=True):
    """What a PDF looks like beside its style. It advises; people decide."""

    style: PaperStyle
    pages: tuple[PageSize, ...]
    content_pages: int
    findings: tuple[Finding, ...]
    sections: tuple[SectionLength, ...] = ()
    parts: tuple[PartLength, ...] = ()
    notes: tuple[str, ...] = ()
    sandbox: str = ""
    duration_ms: float = 0.0
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> FormatReport:
        """Read a stored report; raises `msgspec.ValidationError` when it is not one."""
        return msgspec.json.decode(data, type=cls)


class PageImage(msgspec.Struct, frozen=True):
    """A page as a PNG that the grader encoded itself."""

    page: int
    width: int
    height: int
    png: bytes


class Refusal(Exception):  # noqa: N818 - a refusal is an answer to the student, not a fault of ours
    """A submission that cannot be graded as it is. Its text is one or two sentences for the student."""
