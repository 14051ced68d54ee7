"""What the pages show of a format check: its state in a sentence, findings with their marked pages, lengths of sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from config import clock
from courses.pages import StateChip
from grader.contract import Finding, FindingState, FormatReport, PageSize, PartLength, Place, SectionLength
from projects.format.models import FormatCheck, PagePicture, State
from submissions.models import Submission

SOON_S, LATER_S, PATIENCE = 1, 10, timedelta(seconds=30)
SHOWN = 2  # marked pages beside a finding, and one where it is about whole pages; the others are among all pages below
WHOLE = 0.7  # of a page: a mark as large as that is a frame, and hides nothing
WAITING = "The format is being looked at, which takes a few seconds. Your work is handed in either way."
FAILED = "Looking at the format failed, which is our fault and says nothing about the PDF. It is handed in, and graders read it as it is."
CHIPS = {
    FindingState.FAILED: StateChip("warn", "Not as asked"),
    FindingState.HINT: StateChip("muted", "Have a look", "lightbulb"),
    FindingState.PASSED: StateChip("pass", "As asked"),
}


@dataclass(frozen=True)
class FormatSummary:
    """A check in one line, for pages that show the submission."""

    check: FormatCheck
    submission: Submission
    chip: StateChip
    sentence: str

    @property
    def has_page(self) -> bool:
        """Whether there is more to see than the sentence."""
        return self.check.state is State.FINISHED

    @property
    def is_waiting(self) -> bool:
        """Whether it will change by itself."""
        return not self.check.is_over

    @property
    def ask_every_s(self) -> int:
        """How often a page asks again: seldom, once it takes longer than it should."""
        return SOON_S if clock.now() - self.check.requested_at < PATIENCE else LATER_S


@dataclass(frozen=True)
class Mark:
    """A marked place; `is_frame`: it goes around nearly all of the page."""

    place: Place
    is_frame: bool


@dataclass(frozen=True)
class MarkedPage:
    """A page with the places that one finding, or all of them, are about. `picture` is None where the page has none."""

    page: PageSize
    places: tuple[Mark, ...]
    picture: PagePicture | None
    noted: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For those who do not see the picture."""
        marks = len(self.places)
        return f"Page {self.page.page}, {marks} place{'s' if marks != 1 else ''} marked"


@dataclass(frozen=True)
class ShownFinding:
    """A finding and the first pages that it is about."""

    finding: Finding
    chip: StateChip
    pages: tuple[MarkedPage, ...]
    more_pages: int


@dataclass(frozen=True)
class FormatPage:
    """The whole report of one PDF."""

    summary: FormatSummary
    report: FormatReport | None
    pictures: Mapping[int, PagePicture]
    is_staff: bool

    @property
    def check(self) -> FormatCheck:
        """The check itself."""
        return self.summary.check

    @cached_property
    def findings(self) -> list[ShownFinding]:
        """What is not as asked, then hints."""
        return [_shown(one, self) for one in self._all if one.state is not FindingState.PASSED]

    @property
    def passed(self) -> list[Finding]:
        """What is as asked."""
        return [one for one in self._all if one.state is FindingState.PASSED]

    @property
    def parts(self) -> tuple[PartLength, ...]:
        """Recommended parts with their lengths."""
        return self.report.parts if self.report else ()

    @property
    def other_sections(self) -> list[SectionLength]:
        """Sections that are none of the recommended parts."""
        return [one for one in self.report.sections if not one.part] if self.report else []

    def headings_of(self, part: str) -> list[SectionLength]:
        """The sections that make a recommended part."""
        return [one for one in self.report.sections if one.part == part] if self.report else []

    @cached_property
    def part_rows(self) -> list[tuple[PartLength, list[SectionLength]]]:
        """Recommended parts, each with its sections."""
        return [(part, self.headings_of(part.part)) for part in self.parts]

    @cached_property
    def all_pages(self) -> list[MarkedPage]:
        """Every page, with every mark."""
        marked = [one for one in self._all if one.state is not FindingState.PASSED]
        return [_page(size, marked, self.pictures) for size in (self.report.pages if self.report else ())]

    @property
    def _all(self) -> tuple[Finding, ...]:
        return self.report.findings if self.report else ()


def summary_of(check: FormatCheck, submission: Submission) -> FormatSummary:
    """A check in one line."""
    chip, sentence = _told(check)
    return FormatSummary(check, submission, chip, sentence)


def summaries_of(submission: Submission) -> list[FormatSummary]:
    """All checks of a submission's files. One query."""
    checks = FormatCheck.objects.select_related("file").filter(file__submission=submission).order_by("file")
    return [summary_of(check, submission) for check in checks]


def format_page(check: FormatCheck, submission: Submission, *, is_staff: bool) -> FormatPage:
    """The page of one check. One query more, however many pages the PDF has."""
    pictures = {picture.page: picture for picture in check.pictures.all()}
    return FormatPage(summary_of(check, submission), check.report, pictures, is_staff)


def _told(check: FormatCheck) -> tuple[StateChip, str]:
    if check.state is State.REFUSED:
        return StateChip("warn", "Not readable"), check.refusal
    if check.state is State.FAILED:
        return StateChip("warn", "Not looked at"), FAILED
    report = check.report
    if report is None:
        return StateChip("run", "Being looked at"), WAITING
    return _counted(report)


def _counted(report: FormatReport) -> tuple[StateChip, str]:
    failed = [one.title for one in report.findings if one.state is FindingState.FAILED]
    hints = sum(one.state is FindingState.HINT for one in report.findings)
    pages = f"{len(report.pages)} page{'s' if len(report.pages) != 1 else ''}"
    also = f", and {hints} hint{'s' if hints != 1 else ''}" if hints else ""
    if failed:
        also = f"; and {hints} hint{'s' if hints != 1 else ''}" if hints else ""
        return StateChip("warn", f"{len(failed)} not as asked"), f"{pages}. Look at: {', '.join(failed)}{also}."
    if hints:
        return StateChip("pass", "As asked", "check"), f"{pages}, as asked{also} to have a look at."
    return StateChip("pass", "As asked"), f"{pages}, all as asked."


def _shown(finding: Finding, page: FormatPage) -> ShownFinding:
    numbers = list(dict.fromkeys(place.page for place in finding.places))
    sizes = {size.page: size for size in (page.report.pages if page.report else ())}
    marked = [_page(sizes[number], [finding], page.pictures) for number in numbers[:SHOWN] if number in sizes]
    shown = marked[:1] if any(mark.is_frame for one in marked for mark in one.places) else marked
    return ShownFinding(finding, CHIPS[finding.state], tuple(shown), len(numbers) - len(shown))


def _page(size: PageSize, findings: Iterable[Finding], pictures: Mapping[int, PagePicture]) -> MarkedPage:
    found = [(one.title, place) for one in findings for place in one.places if place.page == size.page]
    titles = tuple(dict.fromkeys(title for title, _ in found))
    marks = tuple(Mark(place, _is_frame(place, size)) for _, place in found)
    return MarkedPage(size, marks, pictures.get(size.page), titles)


def _is_frame(place: Place, size: PageSize) -> bool:
    return place.width * place.height > WHOLE * size.width * size.height
