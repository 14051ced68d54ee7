"""What a person has to do with a topic: its readings and its lab tasks, as they stand for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from config import clock
from courses.models import Enrollment
from courses.pages import StateChip
from grader.contract import LabSummary
from readings.selectors import ReadingRow, readings_page
from web.selectors.states import LabState, lab_states
from web.syllabus.topic import LabTasks, Topic

_SECTION = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class TaskRow:
    """A task of a lab, with its points; `url` leads to the section of the handout in which it begins."""

    id: str
    title: str
    points: float
    url: str


@dataclass(frozen=True)
class LabWork:
    """The tasks of one lab. Without a `url` it is not open to the viewer; without tasks it is not published, or not open."""

    title: str
    url: str | None
    opens_at: datetime
    due_at: datetime
    chip: StateChip | None
    published: bool
    tasks: tuple[TaskRow, ...]


def readings_for(viewer: Enrollment, topic: Topic) -> tuple[ReadingRow, ...]:
    """The papers of the topic that are on the viewer's list. As many queries as the list itself."""
    if not topic.readings:
        return ()
    return tuple(row for row in readings_page(viewer).rows if row.link in topic.readings)


def labs_for(viewer: Enrollment, topic: Topic) -> tuple[LabWork, ...]:
    """The lab tasks of the topic. As many queries as the list of labs."""
    if not topic.labs:
        return ()
    states = {_folder(state): state for state in lab_states(viewer, clock.now())}
    return tuple(_work(viewer, states[wanted.lab], wanted) for wanted in topic.labs if wanted.lab in states)


def section_of(handout: str, task: str) -> str:
    """The number of the first section of a handout that its table of tasks names for this one; empty where it names none."""
    row = re.search(rf"^\| {re.escape(task)} .*\|([^|\n]*)\|$", handout, re.MULTILINE)
    section = _SECTION.search(row[1]) if row else None
    return section[0] if section else ""


def _folder(state: LabState) -> str:
    """The folder in labs/ that a lab was published from, or will be."""
    lab = state.assignment.lab
    return lab.slug if lab else state.assignment.slug


def _work(viewer: Enrollment, state: LabState, wanted: LabTasks) -> LabWork:
    lab = state.assignment.lab
    return LabWork(
        title=state.assignment.label,
        url=state.url,
        opens_at=state.assignment.opens_at,
        due_at=state.due_at,
        chip=state.chip if viewer.is_student else None,
        published=lab is not None,
        tasks=_tasks(lab.summary, wanted, state.url) if lab and state.url else (),
    )


def _tasks(lab: LabSummary, wanted: LabTasks, url: str) -> tuple[TaskRow, ...]:
    return tuple(
        TaskRow(task.id, task.title, task.points, f"{url}#{section_of(lab.handout, task.id)}".rstrip("#"))
        for task in lab.tasks
        if task.id in wanted.tasks
    )
