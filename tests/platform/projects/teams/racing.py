"""Students who all do something with one team at the same moment, each in a thread with a connection of its own.

As a program it does so on the PostgreSQL server that `GRADLAB_DATABASE_URL` names, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter

ROUNDS, INVITED = 6, 5


def together(acts) -> list[str]:
    """What came of each act, all of them started at the same moment: "done", or the sentence that refused it."""
    from django.db import connection

    from projects.teams.rules import TeamRefused

    start, got = threading.Barrier(len(acts)), [""] * len(acts)

    def run(place: int, act) -> None:
        start.wait()
        try:
            act()
            got[place] = "done"
        except TeamRefused as refusal:
            got[place] = str(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def last_place() -> dict:
    """Several invited students accept the one place that is left; sizes and answers, a round each."""
    from projects.teams.selectors import members_of
    from projects.teams.services import accept, invite
    from tests.factories import OfferingFactory, person, team

    rounds = []
    for _ in range(ROUNDS):
        offering = OfferingFactory()
        leader = person(offering)
        full = team(offering, leader, person(offering))
        asked = [invite(enrollment=leader, student=person(offering)) for _ in range(INVITED)]
        got = together([lambda row=row: accept(invitation=row, by=row.enrollment) for row in asked])
        rounds.append({"size": len(members_of(full)), "got": dict(Counter(got))})
    return {"rounds": rounds}


def two_teams() -> dict:
    """One student accepts the invitations of two teams at once; in how many teams they are, a round each."""
    from projects.teams.models import Membership
    from projects.teams.services import accept, invite
    from tests.factories import OfferingFactory, person, team

    counts = []
    for _ in range(ROUNDS):
        offering = OfferingFactory()
        student, leaders = person(offering), [person(offering), person(offering)]
        for leader in leaders:
            team(offering, leader)
        asked = [invite(enrollment=leader, student=student) for leader in leaders]
        together([lambda row=row, student=student: accept(invitation=row, by=student) for row in asked])
        counts.append(Membership.objects.current().filter(enrollment=student).count())
    return {"memberships": counts}


def last_two_leave() -> dict:
    """Both members leave at once; how often the team is disbanded in the log, a round each."""
    from audit.models import AuditEvent
    from projects.teams.services import leave_team
    from tests.factories import OfferingFactory, person, team

    ends = []
    for _ in range(ROUNDS):
        offering = OfferingFactory()
        members = [person(offering), person(offering)]
        team(offering, *members)
        together([lambda row=row: leave_team(enrollment=row) for row in members])
        ends.append(AuditEvent.objects.filter(offering_id=offering.pk, action="disbanded a team").count())
    return {"ends": ends}


def same_name() -> dict:
    """Four students form a team of one name at once; how many teams there are, a round each."""
    from projects.teams.membership import Details
    from projects.teams.services import create_team
    from tests.factories import OfferingFactory, person

    counts = []
    for _ in range(ROUNDS):
        offering = OfferingFactory()  # without rules yet: the row that is held is made by whoever comes first
        people = [person(offering) for _ in range(4)]
        together([lambda row=row: create_team(enrollment=row, details=Details("Über")) for row in people])
        counts.append(offering.teams.count())
    return {"teams": counts}


def all_of_it() -> dict:
    """Every race, once."""
    return last_place() | two_teams() | last_two_leave() | same_name()


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()

    sys.stdout.write(json.dumps(all_of_it()) + "\n")


if __name__ == "__main__":
    main()
