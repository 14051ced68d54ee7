"""What pages say: what is due next, how a lab stands, the weeks of the term, the demo's clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from config import clock
from grading.models import GradingJob
from submissions.drafts import save_draft
from tests.factories import AssignmentFactory, ReadingFactory, SessionFactory, chicago, practice, reported, submit
from web.handout import render_handout
from web.selectors.dashboard import dashboard_page, staff_dashboard_page
from web.selectors.labs import lab_page, labs_page
from web.selectors.schedule import schedule_page

pytestmark = pytest.mark.django_db


def row_of(world):
    return labs_page(world.student).rows[0]


class TestStates:
    def test_a_lab_goes_from_not_started_to_graded(self, world):
        said = [row_of(world).state.label]
        save_draft(assignment=world.lab, enrollment=world.student, sources={"a": "1"}, revision=0)
        said.append(row_of(world).state.label)
        submission = submit(world.lab, world.student)
        said.append(row_of(world).state.label)
        reported(submission)
        said.append(row_of(world).state.label)
        assert said == ["Not started", "Draft saved", "Waiting", "Graded"]

    def test_the_one_next_step_follows_the_state(self, world):
        steps = [row_of(world).action_label]
        submission = submit(world.lab, world.student)
        steps.append(row_of(world).action_label)
        reported(submission)
        steps.append(row_of(world).action_label)
        assert steps == ["Start", "Watch", "Continue"]

    def test_after_the_due_date_what_was_not_handed_in_says_so(self, world, at):
        at(world.lab.due_at + timedelta(seconds=1))
        row = row_of(world)
        assert (row.state.label, row.state.kind, row.action_label) == ("Not handed in", "fail", "Read")

    def test_a_lab_that_is_not_open_names_its_day_and_has_no_link(self, world):
        later = AssignmentFactory(
            offering=world.offering,
            lab=None,
            number=2,
            opens_at=clock.now() + timedelta(days=20),
            due_at=clock.now() + timedelta(days=40),
        )
        row = labs_page(world.student).rows[1]
        assert row.title == later.label
        assert row.url is None
        assert row.state.label.startswith("Opens ")
        assert labs_page(world.ta).rows[1].url is not None

    @pytest.mark.parametrize(
        ("end", "label"), [("failed_at", "Needs staff"), ("cancelled_at", "Stopped"), ("started_at", "Grading")]
    )
    def test_what_happened_to_the_job_is_the_labs_state(self, world, end, label):
        submit(world.lab, world.student)
        GradingJob.objects.update(**{end: clock.now()})
        assert row_of(world).state.label == label


class TestOverview:
    def test_what_is_due_first_and_not_handed_in_is_next(self, world):
        reading = ReadingFactory(
            assignment__offering=world.offering,
            assignment__number=1,
            assignment__due_at=clock.now() + timedelta(days=2),
        )
        page = dashboard_page(world.student)
        assert (page.next.kind, page.next.title) == ("reading", reading.paper.title)
        assert len(page.readings) == 1
        reading.assignment.due_at = clock.now() + timedelta(days=9)
        reading.assignment.save()
        assert dashboard_page(world.student).next.kind == "lab"
        submit(world.lab, world.student)
        assert dashboard_page(world.student).next.kind == "reading"

    def test_nothing_due_is_nothing(self, world, at):
        at(world.lab.due_at + timedelta(days=1))
        assert dashboard_page(world.student).next is None

    def test_the_week_runs_from_monday_to_sunday_where_the_class_is(self, world, at):
        SessionFactory(offering=world.offering, week=5, date="2026-02-19", topic="Heterogeneous")
        at(chicago(2026, 2, 22, 23, 59))
        assert [row.topic for row in dashboard_page(world.student).sessions] == ["Heterogeneous"]
        at(chicago(2026, 2, 23, 0, 1))
        assert dashboard_page(world.student).sessions == ()

    def test_staff_see_how_a_lab_stands(self, world):
        reported(submit(world.lab, world.student), 6.0, 1.0)
        reported(submit(world.lab, world.student), 2.0, 1.0)
        submit(world.lab, world.classmate)
        lab = staff_dashboard_page(world.ta).labs[0]
        assert (lab.submitted, lab.enrolled, lab.graded, lab.median, lab.running, lab.needs_staff) == (2, 2, 1, 7, 1, 0)

    def test_who_dropped_after_handing_in_is_not_counted_among_the_class(self, world, browser):
        reported(submit(world.lab, world.student), 6.0, 2.0)
        reported(submit(world.lab, world.classmate), 1.0, 1.0)
        world.classmate.dropped_at = clock.now()
        world.classmate.save()
        lab = staff_dashboard_page(world.ta).labs[0]
        assert (lab.submitted, lab.enrolled, lab.graded, lab.median) == (1, 1, 1, 8)
        page = browser(world.ta).get(reverse("lab-submissions", args=[world.offering.slug, world.lab.slug]))
        assert "1 of 1 students have submitted" in " ".join(page.content.decode().split())
        assert world.classmate.user.name in page.content.decode()


class TestLab:
    def test_staff_can_read_and_run_and_not_hand_in(self, world):
        page = lab_page(world.ta, world.lab, client_token="x")
        assert not page.can_submit
        assert "only students" in page.why_not

    def test_attempts_left_are_counted(self, world):
        world.lab.max_attempts = 2
        world.lab.save()
        assert lab_page(world.student, world.lab, client_token="x").attempts_left == 2
        submit(world.lab, world.student)
        assert lab_page(world.student, world.lab, client_token="x").attempts_left == 1

    def test_solution_cells_are_fields_and_given_cells_are_not(self, world):
        cells = lab_page(world.student, world.lab, client_token="x").cells
        assert any(cell.kind == "solution" for cell in cells)
        assert all(cell.editable == (cell.kind in {"solution", "code"}) for cell in cells)

    def test_no_solution_is_on_the_page(self, world, browser):
        solution = (world.lab.lab.folder / "notebook.ipynb").read_text()
        assert "BEGIN SOLUTION" in solution
        page = browser(world.student).get(reverse("lab", args=[world.offering.slug, world.lab.slug])).content.decode()
        assert "BEGIN SOLUTION" not in page
        assert "return a + b" not in page

    def test_a_staff_note_of_a_practice_run_stays_with_staff(self, world, browser):
        from grader.contract import CheckResult, GradeReport, Outcome, Suite, Verdict
        from grading import claims

        job = practice(world.lab, world.student)
        checks = (
            CheckResult("a", "1", "adds", Verdict.TAMPERED, 0.0, 4.0, "not scored", hidden=False, staff_note="NOTE"),
        )
        report = GradeReport(Outcome.GRADED, 0.0, 4.0, seed=1, checks=checks, suite=Suite.PUBLIC)
        claims.record_report(claims.claim(job_id=job.pk, worker="test"), report)
        page = browser(world.student).get(reverse("lab", args=[world.offering.slug, world.lab.slug])).content
        assert b"not scored" in page
        assert b"NOTE" not in page

    def test_the_starter_is_a_zip_without_solutions(self, world, browser):
        import io
        import zipfile

        url = reverse("lab-starter", args=[world.offering.slug, world.lab.slug])
        response = browser(world.student).get(url)
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        assert response.headers["Content-Type"] == "application/zip"
        assert not any("hidden" in name for name in archive.namelist())
        assert not any(b"BEGIN SOLUTION" in archive.read(name) for name in archive.namelist())


class TestSchedule:
    def test_weeks_hold_their_sessions_and_what_is_due(self, world, at):
        SessionFactory(offering=world.offering, week=1, week_label="1", number=1, date="2026-01-20", part="Basics")
        SessionFactory(offering=world.offering, week=1, week_label="1", number=2, date="2026-01-22")
        world.offering.recesses.create(name="Spring break", starts_on="2026-03-14", ends_on="2026-03-22")
        world.lab.opens_at, world.lab.due_at = chicago(2026, 1, 1), chicago(2026, 1, 25, 23, 59, 59)
        world.lab.save()
        at(chicago(2026, 1, 21, 12))
        weeks = schedule_page(world.student).weeks
        assert [(week.label, week.part, len(week.sessions), week.is_current) for week in weeks] == [
            ("1", "Basics", 2, True),
            ("", "", 0, False),
        ]
        assert [row.title for row in weeks[0].due] == ["Lab 1: Tiny"]
        assert (weeks[1].recess, str(weeks[1].starts_on)) == ("Spring break", "2026-03-16")

    def test_a_hidden_reading_is_not_in_a_students_schedule(self, world):
        ReadingFactory(assignment__offering=world.offering, hidden=True)
        assert [row.kind for week in schedule_page(world.student).weeks for row in week.due] == ["lab"]
        assert len([row for week in schedule_page(world.ta).weeks for row in week.due]) == 2


def test_a_numbered_heading_can_be_pointed_at():
    handout = render_handout("# Lab\n\n## 1.3 Broadcasting & co\n\n### 1.3.1 More\n\n## Rules\n")
    assert handout.outline == (("1.3", "1.3 Broadcasting & co"), ("rules", "Rules"))
    assert 'id="1.3"' in handout.html
    assert 'id="1.3.1"' in handout.html


@pytest.mark.parametrize(
    "text", ["<script>x</script>", "[a](javascript:alert(1))", '<img src=x onerror="x">', "## 1.1 <script>x</script>"]
)
def test_a_handout_cannot_carry_a_script(text):
    html = render_handout(text).html
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


def test_a_shifted_clock_is_shown_on_every_page(world, browser, settings):
    url = reverse("grades", args=[world.offering.slug])
    assert b"Demo clock" not in browser(world.student).get(url).content
    settings.CLOCK_OFFSET = timedelta(seconds=-90)
    assert b"Demo clock" in browser(world.student).get(url).content


def test_times_are_shown_where_the_class_is(world, browser):
    world.lab.due_at = chicago(2027, 2, 19, 23, 59, 59)
    world.lab.save()
    assert b"19 Feb, 23:59" in browser(world.student).get(reverse("labs", args=[world.offering.slug])).content


def test_the_list_of_labs_says_to_staff_how_a_lab_stands_and_not_that_they_have_not_begun(world, browser):
    reported(submit(world.lab, world.student))
    url, submissions = (
        reverse("labs", args=[world.offering.slug]),
        reverse("lab-submissions", args=[world.offering.slug, world.lab.slug]),
    )
    for staff in (world.ta, world.instructor):
        page = browser(staff).get(url).content.decode()
        assert "Not started" not in page
        assert f'href="{submissions}">1 <span class="muted">/ ' in page
    assert submissions not in browser(world.student).get(url).content.decode()


def test_a_guide_that_is_none_is_not_there(world, browser):
    for name in ("nothing", "README"):
        assert browser(world.student).get(reverse("guide", args=[name])).status_code == 404


def test_a_name_with_markup_is_text_everywhere(world, browser):
    world.student.user.name = "<b>Ada</b>"
    world.student.user.save()
    submission = reported(submit(world.lab, world.student))
    for url in (
        reverse("people", args=[world.offering.slug]),
        reverse("lab-submissions", args=[world.offering.slug, world.lab.slug]),
        reverse("submission", args=[submission.pk]),
        reverse("scores", args=[world.offering.slug]),
    ):
        assert b"<b>Ada" not in browser(world.ta).get(url).content
