"""Graders who all ask for the next one at the same moment, each in a thread with a connection of its own.

As a program it does so on the PostgreSQL server that `GRADLAB_DATABASE_URL` names, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from decimal import Decimal

STUDENTS, GRADERS = 24, 4


def grade_all(assignment, graders) -> list[list[int]]:
    """What each of the graders graded, when all grade until nothing is left."""
    from django.db import connection

    from reviews.marking.services import GivenMark
    from reviews.queue.claims import claim_next
    from reviews.queue.services import Given, save
    from submissions.models import Submission

    items = list(assignment.rubric.items.all())
    given = Given(marks={item.pk: GivenMark(Decimal(1)) for item in items})
    start, done = threading.Barrier(len(graders)), [[] for _ in graders]

    def grade(place: int, grader) -> None:
        start.wait()
        try:
            after = None
            while row := claim_next(assignment=assignment, grader=grader, after=after):
                work = Submission.objects.select_related("assignment").get(pk=row.submission_pk)
                save(submission=work, purpose=row.purpose, given=given, by=grader)
                done[place].append(row.submission_pk)
                after = row.submission_pk
        finally:
            connection.close()

    threads = [threading.Thread(target=grade, args=pair) for pair in enumerate(graders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def a_class():
    """A reading that is due, with a summary of each student, and its graders."""
    from datetime import timedelta

    from config import clock
    from reviews.agreement.choice import is_chosen
    from tests.factories import OfferingFactory, ReadingFactory, person, summary

    offering = OfferingFactory()
    yesterday = clock.now() - timedelta(days=1)
    reading = ReadingFactory(assignment__offering=offering, assignment__due_at=yesterday).assignment
    handed_in = 0
    while handed_in < STUDENTS:
        student = person(offering)
        if not is_chosen(reading.pk, student.pk):  # a second reading would be no double work
            summary(reading, student)
            handed_in += 1
    return reading, [person(offering, "ta").user for _ in range(GRADERS)]


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()

    from reviews.marking.models import Claim, Review

    reading, graders = a_class()
    done = grade_all(reading, graders)
    revisions = list(Review.objects.values_list("revision", flat=True))
    sys.stdout.write(json.dumps({"done": done, "revisions": revisions, "claims": Claim.objects.count()}) + "\n")


if __name__ == "__main__":
    main()
