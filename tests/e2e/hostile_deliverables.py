"""The deliverables of the hostile course: every title, instruction, file name, team and address of a repository is a text of the corpus."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.urls import reverse

from config import clock
from projects.models import Deliverable, SubmissionLink
from tests.factories import deliverable, person, team, team_work
from tests.platform.web.corpus import some


def fill(course: Any, n: int, text: str) -> None:
    """Title and instructions of a deliverable, and a team's name with the file and the address that it handed in."""
    then = clock.now() - timedelta(days=1)
    made = deliverable(course.many, title=text, slug=f"work-{n}", number=n + 1, due_at=then)
    Deliverable.objects.filter(assignment=made).update(instructions=text)
    alone = person(course.many, email=f"author{n}@example.edu") if n else course.reader
    work = team_work(made, team(course.many, alone, name=f"{n} {text}"[:80]), at=then)
    work.files.update(name=text)
    SubmissionLink.objects.create(submission=work, url=text)
    course.deliverables[n] = work


def pages(course: Any) -> list[tuple[str, str]]:
    """Who looks at what."""
    slug, works = course.many.slug, course.deliverables
    shown = some(list(works.values()))
    each = [reverse("deliverable", args=[slug, made.assignment.slug]) for made in shown]
    staff = [
        *(reverse(name, args=[slug]) for name in ("deliverables", "queue")),
        *each,
        *(reverse("deliverable-submission", args=[made.pk]) for made in shown),
        *(reverse("queue-submission", args=[slug, made.assignment.slug, made.pk]) for made in shown),
        reverse("submission-receipt", args=[works[0].pk]),
    ]
    own = reverse("deliverable-submission", args=[works[0].pk])
    return [*(("many", page) for page in staff), *(("reader", page) for page in (*each, own))]
