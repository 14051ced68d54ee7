"""What is still open before grades are final: each thing is named, with a link to where it is settled. None of them forbids a freeze."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef
from django.urls import reverse

from assignments.models import Kind
from courses.models import Offering
from gradebook.book.parts import Part, State
from gradebook.policies.rules import what_is_wrong
from gradebook.policies.spec import spec_of
from gradebook.sources import participation, presentations
from gradebook.sources.collect import Book, collect
from grading.models import GradingJob
from projects.models import Deliverable
from projects.teams.selectors import teams_by_member
from reviews.regrades.models import LabRegrade
from reviews.requests.models import RegradeRequest
from reviews.similar.models import SimilarPair, Status
from submissions.models import Draft, Submission

PAGES_OF_NUMBERS = {participation.KIND: "attendance", presentations.KIND: "talks"}


@dataclass(frozen=True)
class OpenThing:
    """One thing to settle, and where."""

    text: str
    url: str


@dataclass(frozen=True)
class Check:
    """One question of the list. `fine` says what holds where nothing is open."""

    title: str
    fine: str
    things: tuple[OpenThing, ...]

    @property
    def is_open(self) -> bool:
        """Whether there is something to settle."""
        return bool(self.things)


def checklist(offering: Offering, *, book: Book | None = None) -> tuple[Check, ...]:
    """All questions, in the order in which they are best settled. The number of queries does not depend on the class."""
    found = book or collect(offering)
    return (
        Check("Weights and letters", "They are whole.", _scheme(offering)),
        Check("Work to grade", "All work is graded.", _ungraded(offering, found)),
        Check("Numbers to come", "Every part is known for everybody.", _unknown(offering, found)),
        Check("Scores to release", "Students have seen every score.", _unreleased(offering, found)),
        Check("Regrade requests", "None waits for an answer.", _requests(offering)),
        Check("Runs of the grader", "None waits, and none needs staff.", _jobs(offering)),
        Check("Regrades of labs", "No dry run is left.", _regrades(offering)),
        Check("Similar texts", "Every pair was looked at.", _pairs(offering)),
        Check("Drafts", "Nobody typed work and did not hand it in.", _drafts(offering, found)),
        _teams(offering, found),
    )


def _scheme(offering: Offering) -> tuple[OpenThing, ...]:
    url = reverse("grading", args=[offering.slug])
    return tuple(OpenThing(wrong.sentence, url) for wrong in what_is_wrong(spec_of(offering)))


def _ungraded(offering: Offering, book: Book) -> tuple[OpenThing, ...]:
    counted = _count(book, lambda state, _: state is State.UNGRADED)
    return tuple(
        OpenThing(f"{part.title}: {_students(count)}", _work_url(offering, book, part)) for part, count in counted
    )


def _unknown(offering: Offering, book: Book) -> tuple[OpenThing, ...]:
    counted = _count(book, lambda state, _: state is State.NOT_DUE)
    return tuple(
        OpenThing(
            f"{part.title}: {_students(count)} {'can still hand in' if part.key in book.works else 'without a number'}",
            _work_url(offering, book, part),
        )
        for part, count in counted
    )


def _unreleased(offering: Offering, book: Book) -> tuple[OpenThing, ...]:
    counted = _count(book, lambda state, at: state is State.GRADED and not book.origins[at].settled)
    return tuple(
        OpenThing(f"{part.title}: {_students(count)}", _release_url(offering, book, part)) for part, count in counted
    )


def _requests(offering: Offering) -> tuple[OpenThing, ...]:
    count = RegradeRequest.objects.of_offering(offering).open().count()
    return _one(count, f"{count} wait{'s' if count == 1 else ''}", "regrade-requests", offering)


def _jobs(offering: Offering) -> tuple[OpenThing, ...]:
    jobs = GradingJob.objects.counting().filter(submission__assignment__offering=offering)
    waiting = jobs.active().count()
    failed = jobs.filter(failed_at__isnull=False, cancelled_at=None, superseded_by=None).count()
    return (
        *_one(waiting, f"{waiting} still to run", "grader-health", offering),
        *_one(failed, f"{failed} need{'s' if failed == 1 else ''} staff", "grader-health", offering),
    )


def _regrades(offering: Offering) -> tuple[OpenThing, ...]:
    dry_runs = LabRegrade.objects.open().filter(assignment__offering=offering).select_related("assignment")
    return tuple(
        OpenThing(
            f"{row.assignment.label}: regrade {row.number} is neither applied nor discarded",
            reverse("lab-regrade", args=[offering.slug, row.assignment.slug, row.number]),
        )
        for row in dry_runs
    )


def _pairs(offering: Offering) -> tuple[OpenThing, ...]:
    count = SimilarPair.objects.filter(assignment__offering=offering, status=Status.OPEN).count()
    return _one(count, f"{count} pair{'s' if count != 1 else ''} open", "similar", offering)


def _drafts(offering: Offering, book: Book) -> tuple[OpenThing, ...]:
    """Of work that counts as missing: what was typed may be worth a look before it is a zero."""
    missing = {
        (pk, book.works[key].pk)
        for pk, row in book.scores.items()
        for key, score in row.items()
        if score.state is State.MISSING and key in book.works
    }
    handed_in = Submission.objects.filter(assignment=OuterRef("assignment"), enrollment=OuterRef("enrollment"))
    drafts = Draft.objects.filter(~Exists(handed_in), assignment__offering=offering).order_by()
    found = Counter(
        assignment
        for pk, assignment in drafts.values_list("enrollment_id", "assignment_id")
        if (pk, assignment) in missing
    )
    return tuple(
        OpenThing(f"{part.title}: {_students(found[work.pk])}", _work_url(offering, book, part))
        for part in book.counting
        if (work := book.works.get(part.key)) and found[work.pk]
    )


def _teams(offering: Offering, book: Book) -> Check:
    if not Deliverable.objects.filter(assignment__offering=offering).exists():
        return Check("Teams", "No project has been set.", ())
    teams = teams_by_member(offering)
    without = [student.user.name for student in book.students if student.pk not in teams]
    more = f" and {len(without) - 5} more" if len(without) > 5 else ""
    thing = OpenThing(f"Without one: {', '.join(without[:5])}{more}", reverse("teams", args=[offering.slug]))
    return Check("Teams", "Every student is in one.", (thing,) if without else ())


def _count(book: Book, counts: Callable[[State, tuple[int, str]], bool]) -> Iterable[tuple[Part, int]]:
    """How many students stand like that at each part that counts; parts where nobody does are left out."""
    for part in book.counting:
        number = sum(counts(row[part.key].state, (pk, part.key)) for pk, row in book.scores.items())
        if number:
            yield part, number


def _one(count: int, text: str, name: str, offering: Offering) -> tuple[OpenThing, ...]:
    return (OpenThing(text, reverse(name, args=[offering.slug])),) if count else ()


def _students(count: int) -> str:
    return f"{count} student{'s' if count != 1 else ''}"


def _work_url(offering: Offering, book: Book, part: Part) -> str:
    """Where the part's work lies: a lab's submissions or the queue; for a number, the page where it comes about."""
    work = book.works.get(part.key)
    if work is None:
        return reverse(PAGES_OF_NUMBERS.get(part.key, "scores"), args=[offering.slug])
    if work.kind == Kind.LAB:
        return reverse("lab-submissions", args=[offering.slug, work.slug])
    return reverse("queue", args=[offering.slug])


def _release_url(offering: Offering, book: Book, part: Part) -> str:
    work = book.works.get(part.key)
    return reverse("release", args=[offering.slug, work.slug]) if work else _work_url(offering, book, part)
