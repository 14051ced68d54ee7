"""Scores to the platform's gradebook: what may leave, how it leaves, and what happens when it does not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from config import clock
from courses.models import Enrollment
from gradebook.decisions.services import decide
from gradebook.freezing.services import freeze
from gradebook.presets import weights
from gradebook.services import create_scheme
from lti.launches.linking import unlink_context
from lti.models import Line, Member, Person, ScoreMessage
from lti.passback.sending import _claim, _Round, send_due_scores
from reviews.releases.services import release, undo
from tests.factories import ReadingFactory, person, reported, reviewed, submit, summary
from tests.platform.lti.conftest import come
from tests.platform.lti.double import LINE_ITEM, SCORE

pytestmark = pytest.mark.django_db
LAB = "lab:tiny"


@pytest.fixture
def graded(double, course, world):
    """Ada has 6.5 of 10 at the lab, Kofi has 4; both are known there, a third student is not."""
    create_scheme(offering=world.offering, weights=weights("A"))
    for name, enrollment in (("ada", world.student), ("kofi", world.classmate)):
        Member.objects.create(context=course, subject=name, name=name, role="student", enrollment=enrollment)
    person(world.offering, name="Un Known")
    reported(submit(world.lab, world.student), first=4.0, second=2.5)
    reported(submit(world.lab, world.classmate), first=4.0, second=0.0)
    return world


def url(world, course, rest: str = "") -> str:
    return f"/o/{world.offering.slug}/lti/{course.pk}/scores/{rest}"


def send(client, world, course, *keys: str):
    """As an instructor does it: look, then send what was seen."""
    page = client.get(url(world, course), {"column": keys}).context["page"]
    return client.post(url(world, course, "send/"), {"column": keys, "seen": page.fingerprint})


def title(world) -> str:
    return Line.objects.get(key=LAB).title


def due_again() -> None:
    ScoreMessage.objects.filter(send_at__isnull=False).update(send_at=clock.now() - timedelta(seconds=1))


def test_scores_are_previewed_sent_and_arrive(double, graded, course, browser):
    client = browser(graded.instructor)
    page = client.get(url(graded, course), {"column": LAB}).context["page"]
    assert [(row.student, row.before, row.after) for row in page.changes] == [
        (graded.student, None, Decimal("6.50")),
        (graded.classmate, None, Decimal("4.00")),
    ]
    assert [row.user.name for row in page.unknown] == ["Un Known"]
    assert send(client, graded, course, LAB).status_code == 302
    assert double.scores == {}
    assert send_due_scores() == 2
    assert double.standing(title(graded)) == {"ada": 6.5, "kofi": 4.0}
    assert double.refused == []
    (item,) = double.line_items.values()
    assert (item["tag"], item["resourceId"], item["scoreMaximum"]) == (
        "gradlab",
        f"gradlab:{graded.offering.pk}:{LAB}",
        10,
    )
    (score, _) = next(iter(double.scores.values()))
    assert (score["activityProgress"], score["gradingProgress"]) == ("Completed", "FullyGraded")
    assert AuditEvent.objects.filter(action="sent a score").count() == 2
    assert AuditEvent.objects.get(action="sent scores").actor_id == graded.instructor.user_id


def test_what_is_there_is_not_sent_again(double, graded, course, browser):
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    send_due_scores()
    assert send_due_scores() == 0
    answer = send(client, graded, course, LAB)
    assert answer.status_code == 422
    assert "Nothing differs" in answer.content.decode()
    assert sum(len(rows) for rows in double.scores.values()) == 2


def test_a_changed_score_goes_to_the_same_column(double, graded, course, browser):
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    send_due_scores()
    decide(
        student=graded.classmate,
        part=graded.lab,
        points=(Decimal(9), Decimal(10)),
        reason="a second look",
        by=graded.instructor.user,
    )
    page = client.get(url(graded, course), {"column": LAB}).context["page"]
    assert [(row.before, row.after) for row in page.changes] == [(Decimal("4.00"), Decimal("9.00"))]
    send(client, graded, course, LAB)
    assert send_due_scores() == 1
    assert double.standing(title(graded))["kofi"] == 9.0
    assert len(double.line_items) == 1


def test_a_column_that_is_there_is_found_by_its_resource(double, graded, course, browser):
    for n in range(3):
        item = f"{double.url}/lineitems/old-{n}"
        double.line_items[item] = {"id": item, "label": f"Old {n}", "scoreMaximum": 10, "tag": "gradlab"}
    double.line_items[item]["resourceId"] = f"gradlab:{graded.offering.pk}:{LAB}"
    send(browser(graded.instructor), graded, course, LAB)
    assert send_due_scores() == 2
    assert list(double.scores) == [item]
    assert len(double.line_items) == 3


def test_excused_work_is_not_sent(double, graded, course, browser):
    decide(student=graded.classmate, part=graded.lab, points=None, reason="was ill", by=graded.instructor.user)
    send(browser(graded.instructor), graded, course, LAB)
    assert send_due_scores() == 1
    assert double.standing(title(graded)) == {"ada": 6.5}


def test_unreleased_scores_wait_there_as_they_do_here(double, graded, course, browser):
    done = summary(ReadingFactory(assignment__offering=graded.offering).assignment, graded.student)
    reviewed(done, graded.ta)
    client = browser(graded.instructor)
    keys = [row.column.key for row in client.get(url(graded, course)).context["page"].sendable]
    key = next(row for row in keys if row.endswith(done.assignment.slug))
    send(client, graded, course, key)
    send_due_scores()
    (rows,) = double.scores.values()
    assert [(row["gradingProgress"], "scoreGiven" in row) for row in rows] == [("Pending", False)]
    release(assignment=done.assignment, by=graded.instructor.user, partial=True)
    send(client, graded, course, key)
    send_due_scores()
    assert rows[-1]["gradingProgress"] == "FullyGraded"
    assert rows[-1]["scoreGiven"] == 12


def test_a_release_that_was_undone_meanwhile_keeps_its_scores_here(double, graded, course, browser):
    done = summary(ReadingFactory(assignment__offering=graded.offering).assignment, graded.student)
    reviewed(done, graded.ta)
    made = release(assignment=done.assignment, by=graded.instructor.user, partial=True)
    client = browser(graded.instructor)
    keys = [row.column.key for row in client.get(url(graded, course)).context["page"].sendable]
    send(client, graded, course, next(row for row in keys if row.endswith(done.assignment.slug)))
    undo(release=made, by=graded.instructor.user)
    assert send_due_scores() == 0
    assert double.scores == {}
    assert "It was not sent" in client.get(url(graded, course)).content.decode()


def test_what_changed_since_the_preview_is_shown_and_not_sent(graded, course, browser):
    client = browser(graded.instructor)
    seen = client.get(url(graded, course), {"column": LAB}).context["page"].fingerprint
    decide(
        student=graded.classmate,
        part=graded.lab,
        points=(Decimal(9), Decimal(10)),
        reason="a second look",
        by=graded.instructor.user,
    )
    answer = client.post(url(graded, course, "send/"), {"column": LAB, "seen": seen})
    assert answer.status_code == 422
    assert "changed since you looked" in answer.content.decode()
    assert not ScoreMessage.objects.exists()


def test_the_final_score_leaves_from_the_snapshot_alone(double, graded, course, browser):
    client = browser(graded.instructor)
    assert "final" not in [row.column.key for row in client.get(url(graded, course)).context["page"].sendable]
    assert client.post(url(graded, course, "send/"), {"column": "final", "seen": ""}).status_code == 422
    snapshot = freeze(offering=graded.offering, by=graded.instructor.user, note="the course is over")
    page = client.get(url(graded, course), {"column": "final"}).context["page"]
    assert page.sealed == snapshot.sha256
    frozen = {row.student.pk: float(row.after) for row in page.changes}
    send(client, graded, course, "final")
    decide(
        student=graded.classmate,
        part=graded.lab,
        points=(Decimal(9), Decimal(10)),
        reason="after the end",
        by=graded.instructor.user,
    )
    assert send_due_scores() == 2
    assert double.standing("Final score") == {"ada": frozen[graded.student.pk], "kofi": frozen[graded.classmate.pk]}


@pytest.mark.parametrize("fault", [("/scores", 503), ("/token", 500), ("/lineitems", 429), ("/scores", 500)])
def test_a_platform_with_a_fault_gets_them_later(double, graded, course, browser, fault):
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    double.faults[fault[0]] = [fault[1]]
    sent = send_due_scores()
    assert sent < 2
    assert "We try again by ourselves" in client.get(url(graded, course)).content.decode()
    assert ScoreMessage.objects.filter(send_at__gt=clock.now(), tries=1).exists()
    due_again()
    assert sent + send_due_scores() == 2
    assert double.standing(title(graded)) == {"ada": 6.5, "kofi": 4.0}
    assert not ScoreMessage.objects.exclude(trouble="").exists()


def test_a_platform_that_is_away_is_given_up_after_hours(double, graded, course, browser, settings):
    settings.LTI_SCORE_TRIES = 2
    double.faults["/scores"] = [503] * 10
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    for _ in range(6):
        send_due_scores()
        due_again()
    assert not ScoreMessage.objects.filter(send_at__isnull=False).exists()
    assert "Send again" in client.get(url(graded, course)).content.decode()
    double.faults.clear()
    send(client, graded, course, LAB)
    assert send_due_scores() == 2


def test_one_person_who_left_there_holds_up_nobody(double, graded, course, browser):
    double.strangers = {"ada"}
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    assert send_due_scores() == 1
    assert double.standing(title(graded)) == {"kofi": 4.0}
    (trouble,) = client.get(url(graded, course)).context["page"].troubles
    assert trouble.enrollment == graded.student
    assert "may not be a student" in trouble.trouble
    assert trouble.send_at is None


def test_a_column_that_was_deleted_there_is_made_again(double, graded, course, browser):
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    send_due_scores()
    double.line_items.clear()
    decide(
        student=graded.classmate,
        part=graded.lab,
        points=(Decimal(9), Decimal(10)),
        reason="a second look",
        by=graded.instructor.user,
    )
    send(client, graded, course, LAB)
    assert send_due_scores() == 0
    send(client, graded, course, LAB)
    assert send_due_scores() == 1
    assert len(double.line_items) == 1


def test_a_platform_that_allows_less_says_what_to_switch_on(double, graded, course, browser):
    course.scopes = [SCORE]
    course.save()
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    assert send_due_scores() == 0
    assert "Assignment and Grade Services" in client.get(url(graded, course)).content.decode()


def test_a_course_without_a_gradebook_takes_no_scores(graded, course, browser):
    course.line_items_url = ""
    course.save()
    assert "switch on" in send(browser(graded.instructor), graded, course, LAB).content.decode()


def test_a_launch_brings_the_services_and_the_students_id(double, graded, course, browser, client):
    course.line_items_url, course.scopes = "", []
    course.save()
    Member.objects.all().delete()
    Person.objects.create(
        platform=course.deployment.platform, subject="subject-ada", user=graded.student.user, linked_at=clock.now()
    )
    come(double, client)
    course.refresh_from_db()
    assert (course.line_items_url, course.scopes) == (f"{double.url}/lineitems", [LINE_ITEM, SCORE])
    send(browser(graded.instructor), graded, course, LAB)
    assert send_due_scores() == 1
    assert double.standing(title(graded)) == {"subject-ada": 6.5}


def test_who_dropped_or_whose_course_was_unlinked_is_not_sent(double, graded, course, browser):
    client = browser(graded.instructor)
    send(client, graded, course, LAB)
    Enrollment.objects.filter(pk=graded.student.pk).update(dropped_at=clock.now())
    assert send_due_scores() == 1
    course.offering = None
    course.save()
    ScoreMessage.objects.update(send_at=clock.now())
    assert send_due_scores() == 0


def test_two_sweepers_send_a_score_once(double, graded, course, browser, monkeypatch):
    """What one of them has in hand is not due for the other, and a row that another one took is left alone."""
    send(browser(graded.instructor), graded, course, LAB)
    seen: list[list[str]] = []
    monkeypatch.setattr("lti.passback.sending._Round._grade", _watched(seen))
    assert send_due_scores() == 2
    assert seen == [[graded.classmate.user.name], []]
    stale = ScoreMessage(pk=ScoreMessage.objects.all()[0].pk, send_at=clock.now(), points=Decimal("6.50"))
    assert not _claim(stale)


def _watched(seen):
    grade = _Round._grade

    def watched(self, message):
        due = ScoreMessage.objects.filter(send_at__lte=clock.now())
        seen.append(list(due.values_list("enrollment__user__name", flat=True)))
        return grade(self, message)

    return watched


def test_a_slow_platform_does_not_hold_up_the_sweeper(double, graded, course, browser, monkeypatch):
    send(browser(graded.instructor), graded, course, LAB)
    monkeypatch.setattr("lti.passback.sending.TURN_S", -1)
    assert [send_due_scores() for _ in range(3)] == [1, 1, 0]


def test_queries_do_not_grow_with_the_class(graded, course, browser):
    client = browser(graded.instructor)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(url(graded, course), {"column": LAB})
        return len(captured)

    queries()
    before = queries()
    for n in range(12):
        new = person(graded.offering, name=f"More {n:02}")
        Member.objects.create(context=course, subject=f"m{n}", role="student", enrollment=new)
        reported(submit(graded.lab, new), first=1.0, second=0.0)
    assert queries() == before


def test_a_course_that_is_unlinked_while_the_platform_answers_stays_unlinked(
    double, graded, course, browser, monkeypatch
):
    send(browser(graded.instructor), graded, course, LAB)
    take = _Round._line

    def unlinked(self, line):
        found = take(self, line)
        unlink_context(context=course, by=graded.instructor.user)
        return found

    monkeypatch.setattr("lti.passback.sending._Round._line", unlinked)
    send_due_scores()
    assert not ScoreMessage.objects.exists()
