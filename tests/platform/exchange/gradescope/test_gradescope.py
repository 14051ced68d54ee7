"""Reports as Gradescope reads them: every key and value is one that its specification names, and hidden checks stay hidden."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from decimal import Decimal

import pytest

from exchange.gradescope.results import results_of
from exchange.gradescope.services import folder_of
from grader.contract import (
    CheckResult,
    Comparison,
    GradeReport,
    Measurement,
    Outcome,
    Side,
    Task,
    Verdict,
)
from reviews.releases.services import release
from reviews.services import override
from tests.factories import person, reported, submit

TOP = {
    "score": (int, float), "execution_time": (int, float), "output": str, "output_format": str, "test_output_format": str,
    "test_name_format": str, "visibility": str, "stdout_visibility": str, "extra_data": dict, "tests": list, "leaderboard": list,
}  # fmt: skip
TEST = {
    "score": (int, float), "max_score": (int, float), "status": str, "name": str, "name_format": str, "number": str,
    "output": str, "output_format": str, "tags": list, "visibility": str, "extra_data": dict,
}  # fmt: skip
VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}
FORMATS = {"text", "html", "simple_format", "md", "ansi"}


def check_against_the_specification(data: dict) -> None:
    """The published facts of the format: allowed keys, their types and the words that they may hold."""
    for found, allowed in [(data, TOP), *((test, TEST) for test in data["tests"])]:
        for key, value in found.items():
            assert key in allowed, key
            assert isinstance(value, allowed[key]), key
            if key in {"visibility", "stdout_visibility"}:
                assert value in VISIBILITY
            if key.endswith("_format"):
                assert value in FORMATS
            if key == "status":
                assert value in {"passed", "failed"}
    assert "score" in data or all("score" in test for test in data["tests"])


def report(**facts) -> GradeReport:
    side = Side("(2,)", "float64", ("1", "2"))
    checks = (
        CheckResult(
            "adds", "1", "adds", Verdict.FAILED, 1.0, 4.0, "not equal", hidden=False, hint="look again", output="printed",
            comparison=Comparison("a + b", side, Side("(2,)", "float64", ("1", "3")), (1,), "1.0", "1e-6"), staff_note="NOTE",
        ),
        CheckResult("fast", "2", "is fast", Verdict.PASSED, 3.0, 3.0, "", hidden=False, duration_ms=1500.0,
                    measurement=Measurement("time", 2.0, "ms", 1.0, 4.0, 1.5, 2.5)),
        CheckResult("scales", "2", "scales", Verdict.TIME_LIMIT, 0.0, 3.0, "too slow", hidden=True, staff_note="NOTE"),
    )  # fmt: skip
    tasks = (Task("1", "Adding", 4.0), Task("2", "Scaling", 6.0))
    return GradeReport(
        Outcome.GRADED,
        4.0,
        10.0,
        seed=7,
        checks=checks,
        tasks=tasks,
        lab="tiny",
        duration_ms=2500.0,
        notes=("A note.",),
        **facts,
    )


def made(report: GradeReport, *, score=None, released=False) -> dict:
    data = json.loads(results_of(report, score=score, released=released, about={"submission": "#1"}).to_json())
    check_against_the_specification(data)
    return data


def test_each_check_is_a_test_with_its_points_and_its_words():
    data = made(report())
    assert data["score"] == 4.0
    assert data["execution_time"] == 2.5
    assert data["output"] == "A note."
    adds, fast, scales = data["tests"]
    assert (adds["number"], fast["number"], scales["number"]) == ("1.1", "2.1", "2.2")
    assert (adds["score"], adds["max_score"], adds["status"], adds["tags"]) == (1.0, 4.0, "failed", ["Adding"])
    for words in ("not equal", "look again", "printed", "expected: (2,) float64 [1, 2]", "got: (2,) float64 [1, 3]"):
        assert words in adds["output"]
    assert fast["status"] == "passed"
    assert fast["extra_data"]["measurement"]["value"] == 2.0
    assert scales["extra_data"]["verdict"] == "time limit"
    assert sum(test["max_score"] for test in data["tests"]) == data["extra_data"]["max_score"] == 10


def test_hidden_checks_wait_for_the_release():
    assert [test["visibility"] for test in made(report())["tests"]] == ["visible", "visible", "after_published"]
    assert {test["visibility"] for test in made(report(), released=True)["tests"]} == {"visible"}


def test_notes_for_staff_never_leave():
    assert "NOTE" not in json.dumps(made(report()))


def test_the_score_that_counts_stands_over_the_sum():
    data = made(report(), score=Decimal("6.5"))
    assert (data["score"], data["extra_data"]["checks_score"]) == (6.5, 4.0)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_passed_or_failed(verdict):
    check = CheckResult("x", "9", "x", verdict, 0.0, 1.0, "", hidden=True)
    data = made(GradeReport(Outcome.GRADED, 0.0, 1.0, seed=1, checks=(check,)))
    assert data["tests"][0]["status"] == ("passed" if verdict == Verdict.PASSED else "failed")


def test_a_refusal_has_no_tests_and_its_sentence():
    data = made(GradeReport(Outcome.REFUSED, 0.0, 10.0, seed=1, message="Your cell 3 is not valid Python."))
    assert (data["tests"], data["output"]) == ([], "Your cell 3 is not valid Python.")


@pytest.mark.django_db
def test_a_submission_is_downloaded_with_what_staff_set(world, browser):
    submission = reported(submit(world.lab, world.student), first=6.0, second=1.0)
    item = world.lab.rubric.items.get(task_id="2")
    override(submission=submission, item=item, score=Decimal(3), reason="because", by=world.ta.user)
    url = f"/submissions/{submission.pk}/results.json"
    data = json.loads(browser(world.ta).get(url).content)
    check_against_the_specification(data)
    assert data["score"] == 9.0
    assert data["extra_data"]["submission"] == submission.receipt_number
    assert [test["visibility"] for test in data["tests"]] == ["visible", "after_published"]
    release(assignment=world.lab, by=world.instructor.user)
    data = json.loads(browser(world.ta).get(url).content)
    assert [test["visibility"] for test in data["tests"]] == ["visible", "visible"]
    assert browser(world.student).get(url).status_code == 404


@pytest.mark.django_db
def test_without_a_report_there_is_nothing(world, browser):
    submission = submit(world.lab, world.student)
    assert browser(world.ta).get(f"/submissions/{submission.pk}/results.json").status_code == 404


@pytest.mark.django_db
def test_the_zip_has_the_attempt_that_counts_of_each_student(world, browser):
    reported(submit(world.lab, world.student, client_token="1"), first=1.0)
    best = reported(submit(world.lab, world.student, client_token="2"), first=6.0)
    worse = reported(submit(world.lab, world.student, client_token="3"), first=2.0)
    other = reported(submit(world.lab, world.classmate))
    submit(world.lab, person(world.offering))
    reported(submit(world.lab, world.dropped))
    answer = browser(world.ta).get(f"/o/{world.offering.slug}/labs/tiny/gradescope.zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    index = list(csv.DictReader(io.StringIO(archive.read("index.csv").decode())))
    assert {row["receipt"] for row in index} == {best.receipt_number, other.receipt_number}
    assert worse.receipt_number not in str(index)
    assert sorted(archive.namelist()) == sorted(["index.csv", *(f"{row['folder']}/results.json" for row in index)])
    for row in index:
        data = json.loads(archive.read(f"{row['folder']}/results.json"))
        check_against_the_specification(data)
        assert data["score"] == float(row["score"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["../../x@example.edu", "a/b@example.edu", "..@example.edu", "ü@example.edu", "con@x.edu"]
)
def test_a_folder_stays_in_the_zip_whatever_the_address(world, address):
    submission = submit(world.lab, world.student)
    submission.enrollment.user.email = address
    folder = folder_of(submission)
    assert folder.endswith(f"-{submission.pk}")
    assert not {"/", "\\", ".."} & {folder[0:2], *folder}


@pytest.mark.django_db
def test_the_zip_costs_no_more_queries_for_more_students(world, browser, django_assert_max_num_queries):
    for number in range(20):
        reported(submit(world.lab, person(world.offering, email=f"p{number}@example.edu")))
    client = browser(world.ta)
    with django_assert_max_num_queries(25):
        answer = client.get(f"/o/{world.offering.slug}/labs/tiny/gradescope.zip")
    assert len(zipfile.ZipFile(io.BytesIO(answer.getvalue())).namelist()) == 21
