"""600 students and ten readings: how often the queue asks the database, and how long the next one takes."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from config import clock
from courses.models import Enrollment
from reviews.marking.models import Claim, Mark, Purpose, Review
from submissions import storage
from submissions.models import Source, Submission, SubmittedFile
from submissions.texts import file_name
from tests.factories import ReadingFactory

pytestmark = pytest.mark.django_db


def fill(world, readings, students: int) -> None:
    """So many students have handed in every reading; a third of them is graded, and a fifth of the last reading."""
    people = User.objects.bulk_create(
        User(name=f"Student {n}", sort_name=f"{n}", email=f"s{n}-{students}@example.edu") for n in range(students)
    )
    enrolled = Enrollment.objects.bulk_create(Enrollment(offering=world.offering, user=user) for user in people)
    text = b"A sentence about it.\n\n" * 20
    stored = storage.store(text)
    for reading in readings:
        items = list(reading.rubric.items.all())
        handed = Submission.objects.bulk_create(
            Submission(
                assignment=reading,
                enrollment=student,
                number=1,
                created_at=reading.opens_at,
                late=False,
                sha256="0" * 64,
                source=Source.EDITOR,
            )
            for student in enrolled
        )
        SubmittedFile.objects.bulk_create(
            SubmittedFile(submission=one, name=file_name(n, item.task_id), sha256=stored, size=len(text))
            for one in handed
            for n, item in enumerate(items, start=1)
        )
        reviews = Review.objects.bulk_create(
            Review(submission=one, grader=world.ta.user, purpose=Purpose.FIRST, saved_at=clock.now(), spent_s=30)
            for n, one in enumerate(handed)
            if n % (5 if reading is readings[-1] else 3) == 0
        )
        Mark.objects.bulk_create(
            Mark(review=review, item=item, title=item.title, points=item.points, score=Decimal(1))
            for review in reviews
            for item in items
        )


@pytest.fixture
def readings(world):
    due = clock.now() - timedelta(days=1)
    return [
        ReadingFactory(
            assignment__offering=world.offering, assignment__slug=f"r{n}", assignment__number=n, assignment__due_at=due
        ).assignment
        for n in range(1, 11)
    ]


def measured(client, world, reading) -> dict[str, tuple[int, float]]:
    """Queries and milliseconds of work of each step of a grader's way."""
    took: dict[str, tuple[int, float]] = {}
    Claim.objects.all().delete()

    def step(name, ask):
        with CaptureQueriesContext(connection) as asked:
            start = time.process_time()
            answer = ask()
            took[name] = (len(asked), 1e3 * (time.process_time() - start))
        assert answer.status_code in {200, 302}, name
        return answer

    args = [world.offering.slug, reading.slug]
    step("overview", lambda: client.get(reverse("queue", args=args[:1])))
    step("list", lambda: client.get(reverse("queue-assignment", args=args)))
    target = step("next", lambda: client.post(reverse("queue-next", args=args))).url
    step("page", lambda: client.get(target))
    marks = {f"mark-{item.pk}": "2" for item in reading.rubric.items.all()} | {"revision": "0"}
    step("save and next", lambda: client.post(f"{target}save/", marks))
    return took


def test_queries_do_not_grow_with_the_students(world, readings, browser):
    fill(world, readings, 6)
    few = measured(browser(world.ta), world, readings[-1])
    fill(world, readings, 594)
    many = measured(browser(world.ta), world, readings[-1])
    print()  # noqa: T201 - `pytest -s` shows the table
    for name, (queries, ms) in many.items():
        print(f"{name:>14}: {queries:>3} queries, {ms:6.1f} ms with 600 students and 10 readings")  # noqa: T201
    assert {name: queries for name, (queries, _) in few.items()} == {
        name: queries for name, (queries, _) in many.items()
    }
