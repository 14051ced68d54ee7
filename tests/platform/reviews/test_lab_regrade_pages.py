"""The pages of regrades: what staff read and press, the CSV, and that a larger class asks no more questions."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from reviews.models import RubricScore
from reviews.regrades import services
from reviews.regrades.models import LabRegrade, Scope
from reviews.scores import score_all
from tests.factories import TINY, failed, finished, person, reported, republish, submit

pytestmark = pytest.mark.django_db


def url_of(world, name, *more) -> str:
    return reverse(name, args=[world.offering.slug, world.lab.slug, *more])


def dry_run(world, score=6.0) -> LabRegrade:
    """A dry run of everybody's work, over."""
    regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    for item in regrade.items.all():
        finished(item.job, score, 1.0)
    return regrade


def read(client, url) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_the_way_from_the_button_to_the_score_and_back(world, browser):
    submission = reported(submit(world.lab, world.student), 3.0, 1.0)
    ta, instructor = browser(world.ta), browser(world.instructor)
    assert url_of(world, "lab-regrades") in read(ta, url_of(world, "lab-submissions"))
    assert url_of(world, "lab-regrades") in read(ta, url_of(world, "lab"))
    page = ta.post(url_of(world, "lab-regrade-start"), {"scope": "counting"}, follow=True).content.decode()
    assert "<strong>0 of 1</strong> runs have ended" in page
    assert 'hx-trigger="every 3s"' in page
    assert "refresh" in page
    finished(LabRegrade.objects.get().items.get().job, 6.0, 1.0)
    page = read(ta, url_of(world, "lab-regrade", 1))
    assert "every 3s" not in page
    assert "+3" in page
    assert url_of(world, "lab-regrade-apply", 1) not in page
    assert url_of(world, "lab-regrade-apply", 1) in read(instructor, url_of(world, "lab-regrade", 1))
    instructor.post(url_of(world, "lab-regrade-apply", 1), {"reason": "Check 2 was wrong."})
    assert score_all([submission], for_staff=False)[0].score == 7
    page = instructor.post(url_of(world, "lab-regrade-revert", 1), {"reason": "Now it is."}, follow=True)
    assert score_all([submission], for_staff=False)[0].score == 4
    assert "took it back: “Now it is.”" in page.content.decode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "a reason"),
        ({"reason": "x"}, "a reason"),
        ({"reason": "because\x00"}, "Null"),
        ({"reason": "x" * 2001}, "below 2,000"),
    ],
)
def test_a_reason_that_is_none_is_asked_for_and_nothing_is_applied(world, browser, data, sentence):
    reported(submit(world.lab, world.student), 3.0, 1.0)
    dry_run(world)
    page = browser(world.instructor).post(url_of(world, "lab-regrade-apply", 1), data, follow=True)
    assert [sentence in str(message) for message in page.context["messages"]] == [True]
    assert LabRegrade.objects.get().is_open


@pytest.mark.parametrize("scope", [None, "", "everything"])
def test_what_runs_again_must_be_chosen(world, browser, scope):
    reported(submit(world.lab, world.student))
    data = {} if scope is None else {"scope": scope}
    page = browser(world.ta).post(url_of(world, "lab-regrade-start"), data, follow=True)
    assert "Please choose" in page.content.decode()
    assert not LabRegrade.objects.exists()


def test_a_second_click_is_told_that_it_was_done(world, browser):
    reported(submit(world.lab, world.student), 3.0, 1.0)
    dry_run(world)
    client, url = browser(world.instructor), url_of(world, "lab-regrade-apply", 1)
    said = [str(next(iter(client.post(url, {"reason": "because"}, follow=True).context["messages"]))) for _ in range(2)]
    assert said == ["Done. Students whose score changed are told.", "That was done already; nothing changed now."]


def test_runs_that_failed_are_listed_with_what_the_grader_said(world, browser):
    reported(submit(world.lab, world.student))
    regrade = services.start(assignment=world.lab, scope=Scope.COUNTING, by=world.ta.user)
    failed(regrade.items.get().job)
    page = read(browser(world.ta), url_of(world, "lab-regrade", 1))
    assert "no free cgroup" in page
    assert "Runs without a score" in page


def test_points_that_changed_are_pointed_out(world, browser, tmp_path):
    reported(submit(world.lab, world.student), 3.0, 1.0)
    republish(world.lab, tmp_path / "newer")
    world.lab.refresh_from_db()
    page = read(browser(world.ta), url_of(world, "lab-regrades"))
    assert "<strong>1 of 1</strong> attempts that count are graded by an older version" in page
    regrade = services.start(assignment=world.lab, scope=Scope.ALL, by=world.ta.user)
    finished(regrade.items.get().job, 9.0, 1.0, (12.0, 4.0))
    page = read(browser(world.ta), url_of(world, "lab-regrade", 1))
    assert "scores were out of 10, and are out of 16 afterwards" in page


def test_a_score_is_shown_out_of_the_points_of_its_own_version(world, browser, tmp_path):
    reported(submit(world.lab, world.student), 3.0, 1.0)
    republish(world.lab, tmp_path / "newer")
    for name in ("dashboard", "labs"):
        page = read(browser(world.student), reverse(name, args=[world.offering.slug]))
        assert '4</span> <span class="muted">/ 10</span>' in page
    page = read(browser(world.student), reverse("grades", args=[world.offering.slug]))
    assert '<strong>4</strong> <span class="muted">/ 10</span>' in page


def test_only_staff_read_that_a_score_is_of_an_older_version(world, browser, tmp_path):
    submission = reported(submit(world.lab, world.student), 3.0, 1.0)
    republish(world.lab, tmp_path / "newer")
    url = reverse("submission", args=[submission.pk])
    assert "older version" in read(browser(world.ta), url)
    assert "older version" in read(browser(world.ta), url_of(world, "lab-submissions"))
    assert "older version" not in read(browser(world.student), url)


def test_publishing_says_that_nobodys_score_changed_and_what_to_press(world, capsys, tmp_path):
    reported(submit(world.lab, world.student))
    republish(world.lab, tmp_path / "newer")
    call_command("publish_lab", tmp_path / "newer", world.offering.slug, world.lab.slug)
    assert "1 attempts that count keep the report" in capsys.readouterr().out
    call_command("publish_lab", TINY, world.offering.slug, world.lab.slug)
    assert "keep the report" not in capsys.readouterr().out


def test_the_csv_holds_the_table(world, browser):
    submission = reported(submit(world.lab, world.student), 3.0, 1.0)
    item = world.lab.rubric.items.get(task_id="2")
    RubricScore.objects.create(
        submission=submission, item=item, title="", points=4, score=2, reason="x", overridden_at=submission.created_at
    )
    dry_run(world)
    response = browser(world.ta).get(url_of(world, "lab-regrade-scores", 1))
    assert response.headers["Content-Disposition"] == 'attachment; filename="tiny-regrade-1.csv"'
    (row,) = csv.DictReader(io.StringIO(response.content.decode()))
    assert (row["student"], row["old"], row["new"], row["change"]) == ("Lindqvist, Ada", "5", "8", "3")
    assert (row["result"], row["tasks"], row["set by staff"]) == ("up", "1: 3.00 of 6.00 to 6.00 of 6.00", "yes")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_name_is_no_formula(world, browser, name):
    world.student.user.sort_name = name
    world.student.user.save()
    reported(submit(world.lab, world.student), 3.0, 1.0)
    dry_run(world)
    content = browser(world.ta).get(url_of(world, "lab-regrade-scores", 1)).content.decode()
    assert next(csv.DictReader(io.StringIO(content)))["student"] == f"'{name}"


def test_a_regrade_of_another_lab_is_not_there(world, browser):
    reported(submit(world.other_lab, world.other_student))
    services.start(assignment=world.other_lab, scope=Scope.ALL, by=world.other_instructor.user)
    assert browser(world.instructor).get(url_of(world, "lab-regrade", 1)).status_code == 404


def questions(act) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        act()
    return len(asked)


def test_a_larger_class_asks_no_more_questions(world, browser):
    """But for the rows that each run needs: they are made in one statement."""

    def counts() -> list[int]:
        client = browser(world.instructor)
        started = questions(lambda: services.start(assignment=world.lab, scope=Scope.ALL, by=world.ta.user))
        regrade = LabRegrade.objects.first()
        table, why = url_of(world, "lab-regrade", regrade.number), {"reason": "because"}
        running = questions(lambda: client.get(table))
        for item in regrade.items.all():
            finished(item.job, 6.0, 1.0)
        acts = (
            lambda: client.get(table),
            lambda: client.get(url_of(world, "lab-regrade-scores", regrade.number)),
            lambda: client.get(url_of(world, "lab-regrades")),
            lambda: client.post(url_of(world, "lab-regrade-apply", regrade.number), why),
            lambda: client.post(url_of(world, "lab-regrade-revert", regrade.number), why),
        )
        return [started, running, *(questions(act) for act in acts)]

    reported(submit(world.lab, world.student), 3.0, 1.0)
    counts()
    few = counts()
    for _ in range(6):
        student = person(world.offering)
        reported(submit(world.lab, student), 3.0, 1.0)
        reported(submit(world.lab, student), 2.0, 1.0)
    assert counts() == few
