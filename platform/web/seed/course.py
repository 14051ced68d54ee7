"""Makes the first offering out of the published facts. What is there already stays as people edited it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from assignments.models import Assignment, Kind
from assignments.services import assign_lab, publish_lab
from courses.models import Course, Offering, Recess, Session
from gradebook.presets import weights
from gradebook.services import create_scheme
from projects.deliverables.models import Deliverable, Stage
from projects.deliverables.rubric import give_rubric
from projects.teams.models import TeamRules
from readings.models import Paper, Reading
from reviews.rubrics import give_summary_rubric
from reviews.services import sync_rubric
from web.seed.facts import DELIVERABLES, FIRST_TUESDAY, LABS, PAPERS, READINGS_FROM, RECESS, TEAMS_LOCK, WEEKS, ZONE

SLUG = "cs498-sp26"
LAST_SECOND = time(23, 59, 59)


@transaction.atomic
def seed_course() -> Offering:
    """CS 498, Spring 2026, whole: schedule, labs, readings, rules of teams, deliverables, weights of scheme A, letter cutoffs."""
    offering = _offering()
    _schedule(offering)
    create_scheme(offering=offering, weights=weights("A"))
    _labs(offering)
    _readings(offering)
    _deliverables(offering)
    TeamRules.objects.get_or_create(offering=offering, defaults={"lock_at": moment(TEAMS_LOCK, LAST_SECOND)})
    return offering


def moment(day: date, clock: time) -> datetime:
    """A wall-clock moment of the course."""
    return datetime.combine(day, clock, tzinfo=ZoneInfo(ZONE))


def class_tuesdays() -> list[date]:
    """The Tuesday of each week of class; weeks of recess are skipped."""
    _, first, last = RECESS
    tuesdays: list[date] = []
    day = FIRST_TUESDAY
    while len(tuesdays) < len(WEEKS):
        if not first <= day <= last:
            tuesdays.append(day)
        day += timedelta(days=7)
    return tuesdays


def reading_fridays() -> list[date]:
    """The Friday on which each paper is due; spring break is skipped."""
    _, first, last = RECESS
    fridays = [READINGS_FROM + timedelta(days=7 * week) for week in range(len(PAPERS) + 1)]
    return [day for day in fridays if not first <= day <= last][: len(PAPERS)]


def _offering() -> Offering:
    course, _ = Course.objects.get_or_create(code="CS 498", defaults={"title": "Machine Learning System"})
    offering, _ = Offering.objects.get_or_create(
        slug=SLUG,
        defaults={
            "course": course,
            "term": "Spring 2026",
            "starts_on": FIRST_TUESDAY,
            "ends_on": class_tuesdays()[-1] + timedelta(days=2),
            "time_zone": ZONE,
            "room": "2018 Campus Instructional Facility",
            "meets": "Tuesdays and Thursdays, 3:30–4:45 pm",
            "institution": "University of Illinois Urbana-Champaign",
            "lms": "Canvas",
        },
    )
    return offering


def _schedule(offering: Offering) -> None:
    name, first, last = RECESS
    Recess.objects.get_or_create(offering=offering, name=name, defaults={"starts_on": first, "ends_on": last})
    for number, (week, tuesday) in enumerate(zip(WEEKS, class_tuesdays(), strict=True), start=1):
        for session, (topic, day) in enumerate(
            ((week.tuesday, tuesday), (week.thursday, tuesday + timedelta(days=2))), start=1
        ):
            defaults = {"week_label": week.label, "part": week.part, "date": day, "topic": topic}
            Session.objects.get_or_create(offering=offering, week=number, number=session, defaults=defaults)


def _labs(offering: Offering) -> None:
    for number, facts in enumerate(LABS, start=1):
        assignment, _ = Assignment.objects.get_or_create(
            offering=offering,
            slug=facts.slug,
            defaults={
                "kind": Kind.LAB,
                "number": number,
                "title": facts.title,
                "opens_at": moment(facts.opens, time(9)),
                "due_at": moment(facts.due, LAST_SECOND),
                "points": Decimal(facts.points),
            },
        )
        if facts.folder and assignment.lab is None:
            lab = publish_lab(Path(settings.BASE_DIR) / "labs" / facts.folder)
            sync_rubric(assignment=assign_lab(assignment=assignment, lab=lab))


def _readings(offering: Offering) -> None:
    for number, (facts, friday) in enumerate(zip(PAPERS, reading_fridays(), strict=True), start=1):
        paper = Paper.objects.filter(title=facts.title).order_by("pk").first() or Paper.objects.create(
            title=facts.title,
            authors=facts.authors,
            venue=facts.venue,
            year=facts.year,
            arxiv_id=facts.arxiv_id,
            url=facts.url,
            topic_hint=facts.hint,
        )
        assignment, _ = Assignment.objects.get_or_create(
            offering=offering,
            slug=f"reading-{number}",
            defaults={
                "kind": Kind.READING,
                "number": number,
                "title": paper.title,
                "opens_at": moment(FIRST_TUESDAY, time(0)),
                "due_at": moment(friday, LAST_SECOND),
                "points": Decimal(12),
            },
        )
        Reading.objects.get_or_create(assignment=assignment, defaults={"paper": paper, "position": number})
        give_summary_rubric(assignment=assignment)


def _deliverables(offering: Offering) -> None:
    for number, facts in enumerate(DELIVERABLES, start=1):
        assignment, _ = Assignment.objects.get_or_create(
            offering=offering,
            slug=facts.slug,
            defaults={
                "kind": Kind.DELIVERABLE,
                "number": number,
                "title": facts.title,
                "opens_at": moment(facts.opens, time(9)),
                "due_at": moment(facts.due, LAST_SECOND),
                "scored_elsewhere": facts.stage == Stage.PRESENTATION,
            },
        )
        first, last = facts.pages or (None, None)
        asked = {
            "stage": facts.stage,
            "style": facts.style,
            "pages_from": first,
            "pages_to": last,
            "instructions": facts.instructions,
        }
        Deliverable.objects.get_or_create(assignment=assignment, defaults=asked)
        give_rubric(assignment=assignment, stage=facts.stage)
