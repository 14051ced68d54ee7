"""The list of labs, and the page on which a lab is read, written, checked and handed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from grader.api import NotebookCell, notebook_cells
from grader.contract import GradeReport, LabSummary
from grading.limits import why_not_now
from grading.models import GradingJob
from grading.progress import ProgressSnapshot, snapshot
from grading.selectors import attempts_used, finished_report, latest_practice, waiting_submissions
from reviews.lists import AttemptRow, attempts_page
from submissions.models import Draft
from submissions.services import SubmissionRefused
from web.handout import Handout, render_handout
from web.selectors.dashboard import AssignmentRow, assignment_row
from web.selectors.states import lab_states
from web.templatetags.prose import render_markdown


@dataclass(frozen=True)
class LabsPage:
    """All labs of the offering."""

    rows: tuple[AssignmentRow, ...]


@dataclass(frozen=True)
class EditorCell:
    """A cell of the notebook. `kind` is markdown (see `html`), given, solution or code (see `source`).

    Solution and code cells are form fields named `cell-<key>`; `starter` is their text before any edit.
    """

    key: str
    kind: str
    title: str
    task: str
    html: str
    source: str
    starter: str
    rows: int

    @property
    def field(self) -> str:
        """The form field's name."""
        return f"cell-{self.key}"

    @property
    def editable(self) -> bool:
        """Whether the student writes here."""
        return self.kind in {"solution", "code"}


@dataclass(frozen=True)
class LabPage:
    """One lab for one person. Without a published version `lab` is None, `cells` is empty and nothing can be handed in.

    `waiting` are the numbers of attempts that a new one may set aside. `refusal` is why the latest post was refused, in one or two
    sentences; it answers that one request.
    """

    assignment: Assignment
    lab: LabSummary | None
    handout: Handout
    cells: tuple[EditorCell, ...]
    draft_revision: int
    draft_saved_at: datetime | None
    due_at: datetime
    due_why: str
    attempts_left: int | None
    accepts: bool
    can_submit: bool
    why_not: str
    waiting: tuple[int, ...]
    practice_job: GradingJob | None
    practice: ProgressSnapshot | None
    practice_report: GradeReport | None
    submissions: tuple[AttemptRow, ...]
    best_pk: int | None
    is_staff: bool
    client_token: str
    refusal: SubmissionRefused | None
    now: datetime


def labs_page(enrollment: Enrollment) -> LabsPage:
    """The labs as this person sees them."""
    return LabsPage(rows=tuple(assignment_row(lab) for lab in lab_states(enrollment, clock.now())))


def lab_page(
    enrollment: Enrollment,
    assignment: Assignment,
    *,
    client_token: str,
    refusal: SubmissionRefused | None = None,
    unsaved: dict[str, str] | None = None,
) -> LabPage:
    """The lab with this person's draft in the editor; `unsaved` text, from a refused post, takes the draft's place."""
    now, lab = clock.now(), assignment.lab
    draft = Draft.objects.filter(assignment=assignment, enrollment=enrollment).first()
    sources = {**(draft.cells if draft else {}), **(unsaved or {})}
    due, left = assignment.due_date_for(enrollment), attempts_left(assignment, enrollment)
    waiting = waiting_submissions(assignment, enrollment)
    why_not = _why_not(enrollment, assignment, now, due.due_at, set(waiting))
    practice_job = latest_practice(assignment, enrollment)
    practice = snapshot(practice_job) if practice_job else None
    report = finished_report(practice_job) if practice_job else None
    attempts = attempts_page(enrollment, assignment)
    return LabPage(
        assignment=assignment,
        lab=lab.summary if lab else None,
        handout=render_handout(lab.summary.handout if lab else ""),
        cells=_editor_cells(assignment, sources),
        draft_revision=draft.revision if draft else 0,
        draft_saved_at=draft.updated_at if draft else None,
        due_at=due.due_at,
        due_why=due.why,
        attempts_left=left,
        accepts=lab is not None and now.replace(microsecond=0) <= due.due_at,
        can_submit=not why_not,
        why_not=why_not,
        waiting=tuple(job.submission.number for job in waiting.values() if job.submission),
        practice_job=practice_job,
        practice=practice.for_student() if practice and not enrollment.is_staff else practice,
        practice_report=report if report is None or enrollment.is_staff else report.for_student(show_hidden=False),
        submissions=attempts.rows,
        best_pk=attempts.best_pk,
        is_staff=enrollment.is_staff,
        client_token=client_token,
        refusal=refusal,
        now=now,
    )


def attempts_left(assignment: Assignment, enrollment: Enrollment) -> int | None:
    """How many more attempts count; None when there is no limit."""
    if assignment.max_attempts is None:
        return None
    return max(0, assignment.max_attempts - attempts_used(assignment, enrollment))


def _why_not(enrollment: Enrollment, assignment: Assignment, now: datetime, due_at: datetime, waiting: set[int]) -> str:
    if assignment.lab is None:
        return "The handout is not published yet, so there is nothing to hand in."
    if not enrollment.is_student:
        return "Course staff can run the checks; only students hand in."
    if now.replace(microsecond=0) > due_at:
        return "The due date has passed. You can still run the checks."
    # what waits may be set aside, and then does not count
    return why_not_now(assignment=assignment, enrollment=enrollment, at=now, without=waiting)


def _editor_cells(assignment: Assignment, sources: dict[str, str]) -> tuple[EditorCell, ...]:
    if assignment.lab is None:
        return ()
    cells = []
    for cell in _published_cells(assignment.lab.folder):
        is_text = cell.kind == "markdown"
        source = sources.get(cell.key, cell.source) if cell.kind in {"solution", "code"} else cell.source
        cells.append(
            EditorCell(
                key=cell.key,
                kind=cell.kind,
                title=cell.key.replace("-", " ").replace("_", " "),
                task=cell.task,
                html=render_markdown(cell.source) if is_text else "",
                source="" if is_text else source,
                starter="" if is_text else cell.source,
                rows=source.count("\n") + 2,
            )
        )
    return tuple(cells)


@lru_cache(maxsize=16)  # a published version never changes
def _published_cells(folder: Path) -> list[NotebookCell]:
    return notebook_cells(folder)
