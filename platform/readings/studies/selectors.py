"""A study as a page: its tables, its figure for the knobs that a reader set, and where the paper stands on the reading list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import Http404

from courses.models import Enrollment
from mlsys_core.papers.studies import STUDIES
from mlsys_core.papers.study import Figure, Knob, Study
from readings.models import Reading


@dataclass(frozen=True)
class Setting:
    """A knob and its value, as the field shows it."""

    knob: Knob
    value: str


@dataclass(frozen=True)
class StudyRow:
    """A study in the list; `reading` is its place on the offering's reading list, if it has one that the viewer sees."""

    study: Study
    reading: Reading | None


@dataclass(frozen=True)
class StudyPage:
    """One study. `wrong` has a sentence for each knob that was set to what cannot be."""

    study: Study
    reading: Reading | None
    settings: tuple[Setting, ...]
    wrong: tuple[str, ...]
    figure: Figure


def study_rows(viewer: Enrollment) -> tuple[StudyRow, ...]:
    """All studies, in the order of the course. One query."""
    listed = _readings(viewer)
    return tuple(StudyRow(study, listed.get(study.link)) for study in STUDIES)


def study_page(viewer: Enrollment, slug: str, given: Mapping[str, str]) -> StudyPage:
    """One study with its knobs as they were given; raises Http404 where there is none of this name. One query."""
    study = next((study for study in STUDIES if study.slug == slug), None)
    if study is None:
        raise Http404("There is no table of this name.")
    chosen, wrong = study.settings(given)
    settings = tuple(Setting(knob, f"{chosen[knob.name]:.12g}") for knob in study.knobs)
    return StudyPage(study, _readings(viewer).get(study.link), settings, tuple(wrong), study.figure(chosen))


def study_of(link: str) -> Study | None:
    """The study of a paper, by where it can be read."""
    return next((study for study in STUDIES if study.link == link), None)


def _readings(viewer: Enrollment) -> dict[str, Reading]:
    rows = Reading.objects.filter(assignment__offering=viewer.offering, archived_at=None)
    if not viewer.is_staff:
        rows = rows.filter(hidden=False)
    return {row.paper.link: row for row in rows.select_related("paper", "assignment")}
