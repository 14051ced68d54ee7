"""Whatever writes a score, a rubric, a date, a role or an extension leaves a line: the code is read for it, then each act is done."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from assignments.services import assign_lab
from audit.models import AuditEvent
from courses.models import Role
from courses.services import enroll
from reviews.services import sync_rubric
from tests.platform.audit.acts import ACTS

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
AUDITED = {
    *("Review", "Mark", "Adjustment", "RubricScore", "Rubric", "RubricItem", "RubricLevel"),
    *("Attendance", "ParticipationPoint", "CheckInWindow", "LeftOut", "AttendanceRules"),
    *("Assignment", "Extension", "Accommodation", "Enrollment", "Release"),
    *("Component", "LetterCutoff", "GradePolicy", "Decision", "Snapshot"),
    *("Team", "Membership", "TeamRules", "Talk", "Speaker", "PresentationRules"),
}
WRITES = {"save", "create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete"}
# who writes such a row and has a reason to leave no line
SILENT = {
    "projects/presentations/locks.py": "the row that acts lock, with the rules that held without it",
    "reviews/rubrics/summaries.py": "the first rubric of a reading: nothing was there that could change",
    "readings/keeping/rubric.py": "the same, copied from another reading",
    "projects/deliverables/rubric.py": "the first rubric of a deliverable, as that of a reading",
    "reviews/rubrics/services.py": "rubric_of: an empty rubric for work that has none; what is saved into it is recorded",
    "projects/teams/rules.py": "the usual rules as a row that can be held; nobody chose them",
    "projects/teams/notices.py": "a student has read what staff did, which has its line",
    "attendance/check_in.py": "the row is the record of who came, when and by which code; what replaces an excuse is recorded",
    "reviews/rubrics/writing.py": "the hand of services.py, whose acts record each rubric and each score that changed",
}
# a new installation's data: nobody's score, date or role changes
FIRST_DATA = ("web/seed/",)


@dataclass(frozen=True)
class Function:
    """What one function of a module does, as far as its source tells."""

    name: str
    calls: frozenset[str]
    writes: frozenset[str]


def functions_of(source: str) -> list[Function]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
            names = {part for call in calls for part in (_name(call.func),) if part}
            found.append(Function(node.name, frozenset(names), frozenset(_written(calls, node))))
    return found


def _name(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _written(calls: list[ast.Call], function: ast.FunctionDef) -> Iterator[str]:
    """Models whose rows it writes: `Model.objects….create`, or a variable of that type that is saved."""
    typed = {
        arg.arg: arg.annotation.id
        for arg in (*function.args.args, *function.args.kwonlyargs)
        if isinstance(arg.annotation, ast.Name)
    }
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in WRITES:
            root: ast.expr = call.func.value
            while isinstance(root, (ast.Attribute, ast.Call)):
                root = root.func if isinstance(root, ast.Call) else root.value
            if isinstance(root, ast.Name):
                model = typed.get(root.id, root.id)
                if model in AUDITED:
                    yield model


def unrecorded(source: str) -> list[str]:
    """Functions that write an audited row, and neither they nor whoever calls them in this module records it."""
    listed = functions_of(source)
    recording = {one.name for one in listed if one.calls & {"record", "_record"}}
    while more := {
        one.name for one in listed for caller in listed if one.name in caller.calls and caller.name in recording
    }:
        if more <= recording:
            break
        recording |= more
    return [
        f"{one.name} writes {', '.join(sorted(one.writes))}"
        for one in listed
        if one.writes and one.name not in recording
    ]


def modules() -> list[Path]:
    return [path for path in sorted(PLATFORM.rglob("*.py")) if "migrations" not in path.parts]


def test_no_code_writes_such_a_row_without_a_line_in_the_trail():
    silent = {}
    for path in modules():
        where = str(path.relative_to(PLATFORM))
        if where not in SILENT and not where.startswith(FIRST_DATA) and (found := unrecorded(path.read_text())):
            silent[where] = found
    assert silent == {}


def test_the_reading_of_the_code_finds_what_is_careless():
    careless = "def grant(*, extension: Extension) -> None:\n    extension.save()\n"
    assert unrecorded(careless) == ["grant writes Extension"]
    assert unrecorded(careless + "    record(actor=None)\n") == []
    helper = "def _store() -> None:\n    Mark.objects.bulk_create([])\n"
    assert unrecorded(helper) == ["_store writes Mark"]
    assert unrecorded(helper + "def save_review() -> None:\n    _store()\n    record()\n") == []


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS, ids=[f"{number}-{act.action}" for number, act in enumerate(ACTS)])
def test_each_act_leaves_its_line_in_the_offerings_log(act, world, settings, tmp_path, capsys):
    act.do(world, settings=settings, tmp_path=tmp_path)
    events = AuditEvent.objects.filter(action=act.action, offering_id=world.offering.pk)
    assert events.exists()
    assert all(event.before or event.after for event in events)


@pytest.mark.django_db
def test_what_changes_nothing_leaves_no_line(world):
    enroll(offering=world.offering, user=world.ta.user, role=Role.TA)
    sync_rubric(assignment=world.lab)
    assign_lab(assignment=world.lab, lab=world.lab.lab)
    assert not AuditEvent.objects.exists()
