"""Reading the markers of a check: points, task, title, hint, hidden, measured, limits."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

import pytest

MARKERS = {
    "task(id)": "the task of the lab that this check belongs to",
    "points(n)": "points that passing this check is worth",
    "hidden": "left out of the student release; its details are shown after the due date",
    "hint(text, handout='1.3')": "one sentence that teaches, shown when the check fails, and the section of the handout that explains it",
    "measured": "points follow a measured quantity on a curve, once the check's assertions hold",
    "gpu": "needs a GPU; of a lab whose device is `any` it runs and counts only where there is one",
    "limits(wall_s=…)": "limits of this check that differ from the lab's",
}


@dataclass(frozen=True)
class CheckMarks:
    """The markers of one check, read once at collection."""

    name: str
    task: str
    title: str
    points: float
    hidden: bool
    measured: bool
    gpu: bool = False
    hint: str = ""
    handout: str = ""
    limits: dict[str, float] = field(default_factory=dict)


def read_marks(item: pytest.Item) -> CheckMarks:
    """The markers of a collected check; raises `pytest.UsageError` when it has no task or no points."""
    task, points = item.get_closest_marker("task"), item.get_closest_marker("points")
    if task is None or points is None:
        raise pytest.UsageError(f"{item.nodeid}: a check needs @pytest.mark.task(id) and @pytest.mark.points(n)")
    hint = item.get_closest_marker("hint")
    limits = item.get_closest_marker("limits")
    return CheckMarks(
        name=check_name(item),
        task=str(task.args[0]),
        title=_title(item),
        points=float(points.args[0]),
        hidden=item.get_closest_marker("hidden") is not None,
        measured=item.get_closest_marker("measured") is not None,
        gpu=item.get_closest_marker("gpu") is not None,
        hint=str(hint.args[0]) if hint else "",
        handout=str(hint.kwargs.get("handout", "")) if hint else "",
        limits={key: float(value) for key, value in limits.kwargs.items()} if limits else {},
    )


def check_name(item: pytest.Item) -> str:
    """A check's stable name: file, function and parameters, without the folder that the lab happens to lie in."""
    return f"{item.path.stem}::{item.name}"


def _title(item: pytest.Item) -> str:
    """First line of the docstring, with the parameter id behind it; else the function's name in words."""
    function = getattr(item, "function", None)
    lines = (inspect.getdoc(function) or "").strip().splitlines()
    title = lines[0].rstrip(".") if lines else item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
    callspec = getattr(item, "callspec", None)
    return f"{title}: {callspec.id}" if callspec is not None else title
