"""Teammates who hand in, or leave, at the same moment, each in a thread with a connection of its own.

As a program it does so on the PostgreSQL server that `GRADLAB_DATABASE_URL` names, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading

ROUNDS = 4


def together(acts) -> list:
    """What each act returned, all of them started at the same moment."""
    from django.db import connection

    start, got = threading.Barrier(len(acts)), []

    def run(act) -> None:
        start.wait()
        try:
            got.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def _crew():
    from projects.models import TeamRules
    from tests.factories import OfferingFactory, deliverable, person, team

    offering = OfferingFactory()
    TeamRules.objects.create(offering=offering, smallest=1)
    members = [person(offering), person(offering)]
    team(offering, *members)
    return deliverable(offering), members


def _hand_in(assignment, student, token=None):
    from projects.deliverables.services import Work, hand_in
    from submissions.services import IncomingFile

    work = Work(IncomingFile("report.pdf", b"%PDF-1.7"))
    return hand_in(assignment=assignment, enrollment=student, work=work, client_token=token)


def attempts() -> dict:
    """Two members press twice each; the numbers of the attempts, and how many authors each has, a round each."""
    rounds = []
    for _ in range(ROUNDS):
        proposal, members = _crew()
        made = together([lambda row=row, proposal=proposal: _hand_in(proposal, row) for row in members * 2])
        numbers = sorted(submission.number for submission in made)
        rounds.append({"numbers": numbers, "authors": [submission.authors.count() for submission in made]})
    return {"attempts": rounds}


def clicks() -> dict:
    """One member's click arrives three times; how many submissions it makes, a round each."""
    counts = []
    for _ in range(ROUNDS):
        proposal, (student, _) = _crew()
        together([lambda proposal=proposal, student=student: _hand_in(proposal, student, "click")] * 3)
        counts.append(proposal.submissions.count())
    return {"clicks": counts}


def leaving() -> dict:
    """One hands in while the other leaves; whether the one who left is an author exactly where they left after it, a round each."""
    from projects.models import Membership
    from projects.teams.services import leave_team

    fits = []
    for _ in range(ROUNDS):
        proposal, (student, mate) = _crew()
        together(
            [
                lambda proposal=proposal, student=student: _hand_in(proposal, student),
                lambda mate=mate: leave_team(enrollment=mate),
            ]
        )
        submission = proposal.submissions.get()
        assert Membership.objects.get(enrollment=mate).left_at is not None
        authors = set(submission.authors.values_list("enrollment", flat=True))
        fits.append(student.pk in authors and authors <= {student.pk, mate.pk})
    return {"leaving": fits}


def all_of_it() -> dict:
    """Every race, once."""
    return attempts() | clicks() | leaving()


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()

    sys.stdout.write(json.dumps(all_of_it()) + "\n")


if __name__ == "__main__":
    main()
