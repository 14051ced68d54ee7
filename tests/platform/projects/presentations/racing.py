"""Sixty classmates who rate a talk at the same moment, each in a thread with a browser and a connection of their own.

As a program it does so on the PostgreSQL server that `GRADLAB_DATABASE_URL` names, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RATERS, HASTY, TAPS = 60, 20, 3  # never more than sixty at once: a server has connections for so many


@dataclass
class Answers:
    """What the server said to one rater: the mark that was sent, and whether it was acknowledged; in order."""

    first: list[tuple[int, bool]] = field(default_factory=list)
    edits: list[tuple[int, bool]] = field(default_factory=list)


def at_once(acts: list[Callable[[], None]]) -> None:
    """All of them, started at the same moment."""
    from django.db import connection

    start, failures = threading.Barrier(len(acts)), []

    def run(act: Callable[[], None]) -> None:
        start.wait()
        try:
            act()
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            failures.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def an_hour() -> tuple[Any, list[Any], Any]:
    """An open talk, those who may rate it, and a TA."""
    from tests.factories import OfferingFactory, opened, person, talk, team

    offering = OfferingFactory()
    staff = person(offering, "ta")
    planned = talk(team(offering, person(offering), person(offering)))
    raters = [person(offering) for _ in range(RATERS + HASTY)]
    return opened(planned, staff), raters, staff


def rate_all(talk, raters, staff) -> dict[int, Answers]:
    """Sixty save at once, and twenty more tap three times each, at once; then they edit, and in the middle of that staff close."""
    from django.test import Client

    from projects.presentations.opening import close_ratings

    url = f"/o/{talk.offering.slug}/talks/{talk.pk}/rate/"
    answers = {rater.pk: Answers() for rater in raters}
    clients = {}
    for rater in raters:
        clients[rater.pk] = Client(SERVER_NAME="localhost")
        clients[rater.pk].force_login(rater.user)

    def save(rater, score: int, revision: int) -> tuple[int, bool]:
        data = {"score": score, "comment": f"from {rater.pk}", "revision": revision}
        response = clients[rater.pk].post(url, data, headers={"accept": "application/json"})
        assert response.status_code in {200, 422}, response.status_code
        return score, response.status_code == 200

    def tap(rater) -> Callable[[], None]:
        return lambda: answers[rater.pk].first.append(save(rater, 1 + rater.pk % 5, 0))

    def edit(rater) -> Callable[[], None]:
        return lambda: answers[rater.pk].edits.append(save(rater, 1 + (rater.pk + 2) % 5, 1))

    at_once([tap(rater) for rater in raters[:RATERS]])
    at_once([tap(rater) for rater in raters[RATERS:] for _ in range(TAPS)])
    half = len(raters) // 2
    later = [edit(rater) for rater in raters[half:]]
    at_once([*(edit(rater) for rater in raters[:half]), lambda: close_ratings(talk=talk, by=staff.user) and None])
    at_once(later)
    return answers


def lost(talk, answers: dict[int, Answers]) -> list[str]:
    """Everything that is stored otherwise than it was acknowledged."""
    found = []
    stored = {rating.rater_id: rating for rating in talk.ratings.all()}
    if len(stored) != talk.ratings.count():
        found.append("somebody has two")
    for rater, told in answers.items():
        if not all(saved for _, saved in told.first):
            found.append(f"{rater} was refused while the talk was open")
        acknowledged = [score for score, saved in (*told.first, *told.edits) if saved]
        rating = stored.get(rater)
        if rating is None or (rating.score, rating.comment) != (acknowledged[-1], f"from {rater}"):
            found.append(f"{rater} saved {acknowledged} and {rating} is stored")
        elif rating.revision != len(set(acknowledged)):
            found.append(f"{rater}: {rating.revision} revisions of {acknowledged}")
    return found


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()

    talk, raters, staff = an_hour()
    answers = rate_all(talk, raters, staff)
    edits = [saved for told in answers.values() for _, saved in told.edits]
    told = {"lost": lost(talk, answers), "ratings": talk.ratings.count(), "edits": edits}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
