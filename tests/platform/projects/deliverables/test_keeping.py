"""Instructors add, edit and remove deliverables; each act leaves its line, and bad input loses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from django.urls import reverse

from audit.models import AuditEvent
from config import clock
from gradebook.decisions.services import decide, withdraw
from projects.deliverables.keeping import (
    DatesTouchWork,
    Description,
    KeepingRefused,
    add_deliverable,
    edit_deliverable,
    remove_deliverable,
    usual,
)
from projects.deliverables.presets import LEVELS, RUBRICS
from projects.models import Deliverable
from reviews.models import Rubric
from reviews.rubrics.services import save_rubric
from reviews.rubrics.spec import RubricSpec, spec_of
from tests.platform.projects.deliverables.conftest import handed_in

pytestmark = pytest.mark.django_db


def described(**changes) -> Description:
    opens_at = clock.now().replace(microsecond=0)
    facts = {"stage": "final", "title": "Final report", "opens_at": opens_at, "due_at": opens_at + timedelta(days=9)}
    return Description(**facts | changes)


@pytest.fixture
def made(world) -> Deliverable:
    return add_deliverable(offering=world.offering, description=described(), by=world.instructor.user)


def posted(**changes) -> dict[str, str]:
    return {
        "stage": "proposal",
        "title": "Project proposal",
        "opens_at": "2026-02-03T09:00:00",
        "due_at": "2026-02-27T23:59:59",
        "style": "free",
        "pages_from": "1",
        "pages_to": "2",
        "instructions": "Say **what** you do.",
        **changes,
    }


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


@pytest.mark.parametrize("stage", sorted(RUBRICS))
def test_a_written_one_gets_the_usual_rubric_of_its_stage(world, stage):
    made = add_deliverable(offering=world.offering, description=described(stage=stage), by=world.instructor.user)
    items = list(made.assignment.rubric.items.prefetch_related("levels"))
    assert made.assignment.points == sum(item.points for item in items) > 0
    for item in items:
        levels = list(item.levels.all())
        assert levels[0].points == item.points
        assert (levels[-1].points, levels[-1].key) == (0, "0")
        assert len({level.key for level in levels}) == len(LEVELS)
        assert all(level.points == level.points.quantize(Decimal("0.01")) for level in levels)


def test_a_presentation_is_scored_elsewhere(world):
    slides = described(stage="presentation", title="Talk")
    made = add_deliverable(offering=world.offering, description=slides, by=world.instructor.user)
    assert made.assignment.scored_elsewhere
    assert not Rubric.objects.filter(assignment=made.assignment).exists()


def test_the_recommended_parts_of_a_final_report_are_its_items(made):
    names = set(made.assignment.rubric.items.values_list("task_id", flat=True))
    assert {
        "abstract",
        "introduction",
        "related",
        "background",
        "analysis",
        "design",
        "evaluation",
        "conclusion",
    } <= names


def test_the_form_begins_with_the_stage_that_is_missing(world):
    order = []
    for _ in range(4):
        about = usual(world.offering)
        order.append(about.stage)
        add_deliverable(offering=world.offering, description=about, by=world.instructor.user)
    assert order == ["proposal", "midterm", "presentation", "final"]
    assert usual(world.offering).due_at.astimezone(world.offering.zone).strftime("%H:%M:%S") == "23:59:59"


def test_addresses_differ_and_are_no_page_of_the_project(world):
    slugs = [
        add_deliverable(
            offering=world.offering, description=described(title=title), by=world.instructor.user
        ).assignment.slug
        for title in ("Team", "Team", "Deliverables", "Board", "研究", "x" * 200)
    ]
    assert slugs == ["team-2", "team-3", "deliverables-2", "board-2", "deliverable", "x" * 40]


def test_an_edit_stores_what_differs_and_says_so_in_the_log(world, made):
    by = world.instructor.user
    assert not edit_deliverable(deliverable=made, description=Description.of(made), by=by)
    later = described(
        title="Report", due_at=made.assignment.due_at + timedelta(days=1), pages_to=8, style="neurips-2020"
    )
    assert edit_deliverable(deliverable=made, description=later, by=by)
    fresh = Deliverable.objects.get(pk=made.pk)
    assert (fresh.assignment.title, fresh.pages_to, fresh.style) == ("Report", 8, "neurips-2020")
    assert fresh.assignment.slug == made.assignment.slug
    assert {"added a deliverable", "changed the due date", "edited a deliverable"} <= set(actions())


def test_dates_under_work_are_asked_about_once(world, crew):
    handed_in(crew.proposal, world.student)
    found = Deliverable.objects.get(assignment=crew.proposal)
    about = Description.of(found)
    moved = Description(**{**about.__dict__, "due_at": about.due_at + timedelta(days=1)})
    by = world.instructor.user
    with pytest.raises(DatesTouchWork, match="1 submission was handed in"):
        edit_deliverable(deliverable=found, description=moved, by=by)
    assert edit_deliverable(deliverable=found, description=moved, by=by, confirmed=True)


def test_another_stage_brings_another_rubric_until_something_is_handed_in(world, crew):
    found, by = Deliverable.objects.get(assignment=crew.proposal), world.instructor.user
    about = Description.of(found)
    slides = Description(**{**about.__dict__, "stage": "presentation"})
    edit_deliverable(deliverable=found, description=slides, by=by)
    crew.proposal.refresh_from_db()
    assert (crew.proposal.scored_elsewhere, crew.proposal.points) == (True, 0)
    assert not Rubric.objects.filter(assignment=crew.proposal).exists()
    edit_deliverable(deliverable=found, description=about, by=by)
    crew.proposal.refresh_from_db()
    assert not crew.proposal.scored_elsewhere
    assert crew.proposal.points == sum(item.points for item in RUBRICS["proposal"])
    handed_in(crew.proposal, world.student)
    with pytest.raises(KeepingRefused, match="its stage stays"):
        edit_deliverable(deliverable=found, description=slides, by=by)


def test_another_stage_never_replaces_a_rubric_that_was_edited(world, made):
    by, rubric = world.instructor.user, Rubric.objects.get(assignment=made.assignment)
    first, *others = spec_of(rubric).items
    agreed = RubricSpec((msgspec.structs.replace(first, title="What we agreed on in class"), *others))
    save_rubric(assignment=made.assignment, spec=agreed, revision=0, by=by, reapply=False)
    slides = replace(Description.of(made), stage="presentation")
    with pytest.raises(KeepingRefused, match="Its rubric was edited"):
        edit_deliverable(deliverable=made, description=slides, by=by)
    assert "What we agreed on in class" in [item.title for item in rubric.items.all()]
    assert edit_deliverable(deliverable=made, description=replace(Description.of(made), title="The report"), by=by)


def test_one_without_work_is_removed_and_the_others_move_up(world, made):
    second = add_deliverable(offering=world.offering, description=described(), by=world.instructor.user)
    assert second.assignment.number == 2
    remove_deliverable(deliverable=made, by=world.instructor.user)
    second.assignment.refresh_from_db()
    assert second.assignment.number == 1
    assert actions()[-1] == "removed a deliverable"


def test_one_with_a_score_that_staff_decided_stays_until_it_is_withdrawn(world, made):
    points, by = (Decimal(40), Decimal(50)), world.instructor.user
    decided = decide(student=world.student, part=made.assignment, points=points, reason="told in my office", by=by)
    with pytest.raises(KeepingRefused, match="for 1 student, so it cannot be removed"):
        remove_deliverable(deliverable=made, by=by)
    assert world.student.grade_decisions.get() == decided
    withdraw(decision=decided, by=by)
    remove_deliverable(deliverable=made, by=by)
    assert not Deliverable.objects.exists()


def test_one_with_work_stays(world, crew):
    handed_in(crew.proposal, world.student)
    with pytest.raises(KeepingRefused, match="cannot be removed"):
        remove_deliverable(deliverable=Deliverable.objects.get(), by=world.instructor.user)


class TestPages:
    def url(self, world, name, *rest):
        return reverse(name, args=[world.offering.slug, *rest])

    def test_the_whole_way_by_plain_forms(self, world, browser):
        client = browser(world.instructor)
        assert client.get(self.url(world, "deliverable-add")).status_code == 200
        added = client.post(self.url(world, "deliverable-add"), posted())
        made = Deliverable.objects.select_related("assignment").get()
        assert added.url == self.url(world, "deliverable", made.assignment.slug)
        assert made.assignment.due_at.isoformat() == "2026-02-28T05:59:59+00:00"  # 23:59:59 in Chicago
        assert "<strong>what</strong>" in client.get(added.url).content.decode()
        edit = self.url(world, "deliverable-edit", made.assignment.slug)
        assert 'value="2026-02-27T23:59:59"' in client.get(edit).content.decode()
        assert client.post(edit, posted(title="Proposal")).status_code == 302
        assert client.post(self.url(world, "deliverable-remove", made.assignment.slug)).status_code == 302
        assert not Deliverable.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"title": "  "}, "Please give the deliverable a title"),
            ({"due_at": "9999-12-31T23:59:59"}, "year is out of reach"),
            ({"opens_at": "0001-01-01T00:00:00"}, "year is out of reach"),
            ({"due_at": "2026-02-03T08:00:00"}, "It would be due before it opens"),
            ({"due_at": "soon"}, "Enter a valid date/time"),
            ({"stage": "party"}, "Select a valid choice"),
            ({"pages_from": "9", "pages_to": "2"}, "fewer pages than the other field"),
            ({"pages_to": "0"}, "greater than or equal to 1"),
            ({"instructions": "x" * 20_001}, "at most 20000 characters"),
        ],
    )
    def test_bad_input_comes_back_as_it_was_typed(self, world, browser, wrong, said):
        response = browser(world.instructor).post(self.url(world, "deliverable-add"), posted(**wrong))
        page = response.content.decode()
        assert response.status_code == 422
        assert said in page
        if "instructions" not in wrong:
            assert "Say **what** you do." in page
        assert not Deliverable.objects.exists()

    def test_the_question_about_dates_is_answered_on_the_page(self, world, crew, browser):
        handed_in(crew.proposal, world.student)
        client, edit = browser(world.instructor), self.url(world, "deliverable-edit", crew.proposal.slug)
        asked = client.post(edit, posted())
        assert asked.status_code == 422
        assert "Save, and change these dates" in asked.content.decode()
        assert client.post(edit, posted(confirmed="yes")).status_code == 302
        crew.proposal.refresh_from_db()
        assert crew.proposal.due_at.isoformat() == "2026-02-28T05:59:59+00:00"

    def test_a_posted_stage_changes_nothing_once_work_is_there(self, world, crew, browser):
        handed_in(crew.proposal, world.student)
        edit = self.url(world, "deliverable-edit", crew.proposal.slug)
        browser(world.instructor).post(edit, posted(stage="presentation", confirmed="yes"))
        assert Deliverable.objects.get().stage == "proposal"

    def test_removing_one_with_work_says_why_not(self, world, crew, browser):
        handed_in(crew.proposal, world.student)
        remove = self.url(world, "deliverable-remove", crew.proposal.slug)
        page = browser(world.instructor).post(remove, follow=True).content.decode()
        assert "cannot be removed" in page
        assert Deliverable.objects.exists()
