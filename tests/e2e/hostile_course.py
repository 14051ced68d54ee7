"""`python -m tests.e2e.hostile_course`: a course in which every free text is one of the corpus. Prints, as JSON, who looks at which page.

A field is a line of `FIELDS`: its name, and the function that fills it for text number `n`. A page is a line of `pages`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402 - after the set-up, as all below
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.urls import reverse  # noqa: E402

from assignments.due.services import grant_extension  # noqa: E402
from assignments.models import Kind  # noqa: E402
from audit.services import record  # noqa: E402
from config import clock  # noqa: E402
from courses.models import Enrollment, Role  # noqa: E402
from grader.api import notebook_cells  # noqa: E402
from grader.contract import (  # noqa: E402
    CheckResult,
    Comparison,
    GradeReport,
    Measurement,
    Outcome,
    Side,
    Task,
    Verdict,
)
from grading import claims  # noqa: E402
from grading.models import GradingJob  # noqa: E402
from projects.format.models import FormatCheck  # noqa: E402
from projects.models import Talk  # noqa: E402
from readings.models import Paper  # noqa: E402
from reviews.marking.services import GivenMark, adjust, save_review  # noqa: E402
from reviews.regrades.models import LabRegrade, Scope  # noqa: E402
from reviews.releases.models import Release, ReleaseItem  # noqa: E402
from reviews.releases.services import release  # noqa: E402
from reviews.requests.models import RegradeRequest  # noqa: E402
from reviews.services import override  # noqa: E402
from submissions import storage  # noqa: E402
from submissions.drafts import save_draft  # noqa: E402
from submissions.models import Draft, Submission, SubmittedFile  # noqa: E402
from tests.e2e import hostile_deliverables, hostile_gradebook  # noqa: E402
from tests.e2e.hostile_class import attendance_words, session_topic, talk_words  # noqa: E402
from tests.e2e.hostile_exchange import exchange_pages, exchange_words  # noqa: E402
from tests.e2e.hostile_lti import lti_pages, lti_words  # noqa: E402
from tests.e2e.hostile_policy import policy_pages, scheme_words  # noqa: E402
from tests.e2e.hostile_project import format_words, team_words  # noqa: E402
from tests.factories import (  # noqa: E402
    AssignmentFactory,
    OfferingFactory,
    ReadingFactory,
    person,
    reported,
    submit,
    summary,
)
from tests.platform.web.corpus import STORABLE, some  # noqa: E402


@dataclass
class Course:
    """An offering with one student a text, and a second offering with one assignment a text."""

    offering: Any
    lab: Any
    reading: Any
    instructor: Enrollment
    students: list[Enrollment]
    many: Any
    reader: Enrollment
    many_staff: Enrollment
    work: dict[int, Submission] = field(default_factory=dict)
    summaries: dict[int, Submission] = field(default_factory=dict)
    formats: dict[int, FormatCheck] = field(default_factory=dict)
    talks: dict[int, Talk] = field(default_factory=dict)
    deliverables: dict[int, Submission] = field(default_factory=dict)


def make() -> Course:
    """The people, the assignments, and a submission and a summary of each student; nothing hostile but the names."""
    offering, many = OfferingFactory(), OfferingFactory()
    lab = AssignmentFactory(offering=offering, slug="tiny", number=1)
    reading = ReadingFactory(assignment__offering=offering, assignment__slug="paper").assignment
    students = [
        person(offering, name=text, sort_name=text, email=f"s{n}@example.edu") for n, text in enumerate(STORABLE)
    ]
    course = Course(
        offering,
        lab,
        reading,
        person(offering, Role.INSTRUCTOR, name=STORABLE[0], email="instructor@example.edu"),
        students,
        many,
        person(many, email="reader@example.edu"),
        person(many, Role.INSTRUCTOR, email="many@example.edu"),
    )
    for n, student in enumerate(students):
        course.work[n] = reported(submit(lab, student))
        course.summaries[n] = summary(
            reading, student, {item.task_id: STORABLE[n] for item in reading.rubric.items.all()}
        )
    return course


def draft_text(course: Course, n: int, text: str) -> None:
    """All texts in the draft of one student, and each in one of its own."""
    keys = [cell.key for cell in notebook_cells(course.lab.lab.folder) if cell.kind in {"solution", "code"}]
    sources = {key: text if n else "\n".join(STORABLE) for key in keys}
    save_draft(assignment=course.lab, enrollment=course.students[n], sources=sources, revision=0)


def override_reason(course: Course, n: int, text: str) -> None:
    item = course.lab.rubric.items.first()
    override(submission=course.work[n], item=item, score=Decimal(1), reason=f"{text} ...", by=course.instructor.user)


def review_comments(course: Course, n: int, text: str) -> None:
    items = course.reading.rubric.items.all()
    marks = {item.pk: GivenMark(Decimal(1), text) for item in items}
    save_review(
        submission=course.summaries[n],
        by=course.instructor.user,
        marks=marks,
        comment=text,
        staff_note=text,
        reason=text,
    )


def adjustment_reason(course: Course, n: int, text: str) -> None:
    adjust(submission=course.summaries[n], points=Decimal(-1), reason=f"{text} ...", by=course.instructor.user)


def file_name(course: Course, n: int, text: str) -> None:
    data = text.encode()
    SubmittedFile.objects.create(submission=course.work[0], name=text, sha256=storage.store(data), size=len(data))


def audit_words(course: Course, n: int, text: str) -> None:
    said = {"before": text, "after": text, "reason": text}
    record(actor=course.students[n].user, action=text[:60], subject=course.lab, offering_id=course.offering.pk, **said)


def assignment_title(course: Course, n: int, text: str) -> None:
    made = AssignmentFactory(offering=course.many, title=text, number=n + 1, slug=f"lab-{n}", lab=None)
    LabRegrade.objects.create(
        assignment=course.lab, number=n + 1, lab=course.lab.lab, scope=Scope.ALL, started_at=clock.now(), reason=text,
        applied_at=clock.now(), applied_by=course.instructor.user, revert_reason=text, reverted_at=clock.now(),
    )  # fmt: skip
    assert made.kind == Kind.LAB


def paper_words(course: Course, n: int, text: str) -> None:
    """Title, authors, venue and topic of a paper; and the reason for which the score of its summary was taken back."""
    paper = Paper.objects.create(title=text, authors=text, venue=text[:80], topic_hint=text[:80], url=text)
    reading = ReadingFactory(
        assignment__offering=course.many, assignment__title=text, assignment__number=n + 1, paper=paper
    )
    made = Release.objects.create(
        assignment=reading.assignment,
        released_at=clock.now(),
        final_at=clock.now(),
        retracted_at=clock.now(),
        retract_reason=text,
    )
    ReleaseItem.objects.create(release=made, submission=summary(reading.assignment, course.reader, {"a": text}))


def extension_reason(course: Course, n: int, text: str) -> None:
    grant_extension(
        assignment=course.lab,
        enrollment=course.students[n],
        due_at=course.lab.due_at + timedelta(days=3),
        reason=f"{text} ...",
        by=course.instructor.user,
    )


def request_words(course: Course, n: int, text: str) -> None:
    """A request of each student, every second one answered."""
    done = {"status": "answered", "answered_at": clock.now(), "answer": text, "answered_by": course.instructor.user}
    RegradeRequest.objects.create(
        submission=course.summaries[n],
        asked_by=course.students[n],
        asked_at=clock.now(),
        reason=text,
        item_title=text,
        **(done if n % 2 else {}),
    )


def summary_draft(course: Course, n: int, text: str) -> None:
    cells = {item.task_id: text if n else "\n\n".join(STORABLE) for item in course.reading.rubric.items.all()}
    Draft.objects.create(
        assignment=course.reading, enrollment=course.students[n], cells=cells, revision=1, updated_at=clock.now()
    )


FIELDS: dict[str, Callable[[Course, int, str], None]] = {
    "draft": draft_text,
    "override reason": override_reason,
    "decision reason": hostile_gradebook.decision_reason,
    "review comments": review_comments,
    "adjustment reason": adjustment_reason,
    "file name": file_name,
    "audit words": audit_words,
    "assignment title and regrade reason": assignment_title,
    "paper and retract reason": paper_words,
    "session topic": session_topic,
    "attendance, points and a session left out": attendance_words,
    "extension reason": extension_reason,
    "regrade request and answer": request_words,
    "draft of a summary": summary_draft,
    "import and export": exchange_words,
    "platform, its course, its people": lti_words,
    "team, post and reason of a move": team_words,
    "format report": format_words,
    "component, change and snapshot": scheme_words,
    "team, comments on its talk, and why its score was taken back": talk_words,
    "deliverable and repository": hostile_deliverables.fill,
}


def outputs(course: Course) -> None:
    """What a student's code printed, raised and returned, in the report of one more attempt of the first student."""
    submission = submit(course.lab, course.students[0])
    checks = tuple(
        CheckResult(
            f"test_{n}", "1", text, Verdict.FAILED, 0.0, 1.0, message=text, hint=text, handout=text, output=text,
            comparison=Comparison(text, Side(text, text, (text,)), Side(text, text, (text, "x")), (1,), text, text),
            measurement=Measurement(text, 2.0, text, 1.0, 4.0, 1.5, 2.5), staff_note=text, hidden=False,
        )
        for n, text in enumerate(STORABLE)
    )  # fmt: skip
    report = GradeReport(
        Outcome.GRADED,
        0.0,
        float(len(checks)),
        seed=1,
        checks=checks,
        tasks=(Task("1", STORABLE[0], float(len(checks))),),
        notes=STORABLE,
    )
    assert claims.record_report(claims.claim(job_id=submission.jobs.get().pk, worker="test"), report)
    course.work[-1] = submission


def fault(course: Course) -> None:
    """What our grader said of a run that failed."""
    job = submit(course.lab, course.students[1]).jobs.get()
    for worker in ("one", "two"):
        assert claims.record_fault(claims.claim(job_id=job.pk, worker=worker), error="\n".join(STORABLE))
    assert GradingJob.objects.get(pk=job.pk).failed_at
    course.work[-2] = job.submission


def pages(course: Course) -> list[tuple[str, str]]:
    """Who looks at what; an address may bring a text of its own."""
    here, there, texts = course.offering.slug, course.many.slug, range(len(STORABLE))
    one, two = course.work[0].pk, course.work[-1].pk
    url = lambda name, *args: reverse(name, args=args)  # noqa: E731 - a word shorter in forty lines
    staff = [
        *(
            url(name, here)
            for name in (
                "dashboard",
                "schedule",
                "labs",
                "readings",
                "scores",
                "people",
                "audit",
                "grader-health",
                "extensions",
                "regrade-requests",
                "teams",
                "attendance",
                "attendance-sessions",
                "attendance-correct",
                "participation",
                "attendance-rules",
            )
        ),
        *(url("attendance-session", here, session.pk) for session in list(course.offering.sessions.all())[-3:]),
        url("check-in-screen", here, course.offering.sessions.last().pk),
        url("attendance-student", here, course.students[0].pk),
        *(f"{url('participation', here)}?{urlencode({'q': text, 'reason': text})}" for text in STORABLE[:6]),
        *(f"{url(name, here)}?page=2" for name in ("scores", "people")),
        *(url("team", here, made.pk) for made in course.offering.teams.all()[:4]),
        *(url(name, here) for name in ("talks", "talks-results")),
        f"{url('talks-comments', here)}?show=all",
        *(
            url(name, here, course.talks[0].pk)
            for name in ("talk", "talk-rate", "talk-timer", "talk-result", "talk-feedback", "talk-comments")
        ),
        *(url(name, here, course.talks[1].pk) for name in ("talk-result", "talk-rate")),
        *(
            url(name, here, "tiny")
            for name in ("lab", "lab-submissions", "lab-regrades", "lab-limits", "release", "score-sheet")
        ),
        f"{url('lab-submissions', here, 'tiny')}?page=2",
        *(url(name, here, "paper") for name in ("release", "score-sheet")),
        *(url("submission", course.work[n].pk) for n in (*texts, -1, -2)),
        *(url("submission", made.pk) for made in some(list(course.summaries.values()))),
        url("submission-receipt", one),
        url("submission-compare", one, two),
        url("reading", here, "paper"),
        *(url("format", check.file.submission_id, check.file_id) for check in some(list(course.formats.values()))),
        *(url("regrade-request", made.pk) for made in list(course.summaries.values())[:4]),
    ]
    staff += [*policy_pages(course), *exchange_pages(course), *lti_pages(course)]
    student = [
        *(
            url(name, here)
            for name in ("dashboard", "schedule", "labs", "readings", "grades", "project", "attendance", "here")
        ),
        *(f"{url('team-board', here)}?show={show}" for show in ("teams", "people")),
        *(f"{url('here', here)}?{urlencode({'code': text})}" for text in STORABLE[:6]),
        url("lab", here, "tiny"),
        url("dates", here),
        url("reading", here, "paper"),
        url("submission", course.summaries[0].pk),
        url("lab-attempts", here, "tiny"),
        url("submission", one),
        url("submission", two),
        url("submission-receipt", one),
        url("talks", here),
        url("talk-feedback", here, course.talks[0].pk),
        url("talk-rate", here, course.talks[len(STORABLE) - 1].pk),
    ]
    elsewhere = [url(name, there) for name in ("dashboard", "labs", "readings", "grades")]
    return [
        *hostile_deliverables.pages(course),
        *hostile_gradebook.pages(course),
        *(("instructor", page) for page in staff),
        *(("student", page) for page in student),
        *(("reader", page) for page in elsewhere),
        *(("many", page) for page in [*elsewhere, url("scores", there)]),
    ]


def session_of(enrollment: Enrollment) -> str:
    """The cookie of someone who has signed in."""
    store = SessionStore()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(enrollment.user.pk), enrollment.user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store.save()
    return str(store.session_key)


# nobody signs in by a password here, and 250 slow hashes take half a minute
@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
def main() -> None:
    """Fill everything and say where to look."""
    course = make()
    for fill in FIELDS.values():
        for n, text in enumerate(STORABLE):
            fill(course, n, text)
    outputs(course)
    fault(course)
    release(assignment=course.reading, by=course.instructor.user)
    people = {
        "instructor": course.instructor,
        "student": course.students[0],
        "reader": course.reader,
        "many": course.many_staff,
    }
    found = {
        "cookie": settings.SESSION_COOKIE_NAME,
        "sessions": {name: session_of(who) for name, who in people.items()},
        "pages": pages(course),
        "offering": course.offering.slug,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
