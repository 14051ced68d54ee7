"""How a number that has no assignment came about, in sentences, and the page that shows all of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from attendance.scores import participation_scores
from courses.models import Enrollment
from gradebook.derivation.figures import figure
from gradebook.sources import participation, presentations
from projects.presentations.scores import TalkScore, presentation_scores


@dataclass(frozen=True)
class Steps:
    """Sentences, and where to read on."""

    lines: tuple[str, ...]
    url: str
    link: str


def steps_of(viewer: Enrollment, student: Enrollment, key: str) -> Steps | None:
    """The steps to a part that is one number, as the viewer may see them; None where there is no number, or none to be seen."""
    if key == participation.KIND:
        return _participation(viewer, student)
    if key == presentations.KIND:
        return _presentation(viewer, student)
    return None


def _participation(viewer: Enrollment, student: Enrollment) -> Steps | None:
    score = participation_scores(student.offering).get(student.pk)
    if score is None:
        return None
    own = reverse("attendance", args=[student.offering.slug])
    url = reverse("attendance-student", args=[student.offering.slug, student.pk]) if viewer.is_staff else own
    return Steps(score.steps, url, "Every session and every point")


def _presentation(viewer: Enrollment, student: Enrollment) -> Steps | None:
    talk = presentation_scores(student.offering).get(student.pk)
    if talk is None or not (talk.released or viewer.is_staff):
        return None
    name = "talk-result" if viewer.is_staff else "talk-feedback"
    url = reverse(name, args=[student.offering.slug, talk.talk_pk])
    return Steps(_halves(talk), url, "What staff and classmates said")


def _halves(talk: TalkScore) -> tuple[str, ...]:
    """Each half by its weight, and both together."""
    halves = (
        ("Staff", talk.staff, talk.staff_weight, talk.staff_raters),
        ("Classmates", talk.classmates, talk.classmates_weight, talk.raters),
    )
    lines = [
        f"{name}, {raters} rating{'' if raters == 1 else 's'}: {figure(points)} of {figure(talk.max_points)} × "
        f"{figure(weight * 100)} % = {figure(points * weight)}."
        for name, points, weight, raters in halves
        if points is not None
    ]
    return (f"The talk of {talk.team}.", *lines, f"Together {figure(talk.points)} of {figure(talk.max_points)}.")
