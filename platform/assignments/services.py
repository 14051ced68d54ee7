"""Publishing labs, and limiting how often they are handed in."""

from __future__ import annotations

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import msgspec
from django.conf import settings
from django.db import transaction

from accounts.models import User
from assignments.models import Assignment, Lab
from audit.services import record
from config import clock
from grader.api import load_lab

# Left behind: what only the lab's authors need.
UNPUBLISHED = ("__pycache__", "*.pyc", "mutants", ".ipynb_checkpoints", ".pytest_cache")


def publish_lab(folder: Path) -> Lab:
    """Copy a labs/ folder as it is now and keep it as a version; the same content again is the same version.

    Raises `grader.api.LabError` naming what is wrong with the folder.
    """
    summary = load_lab(folder, gpu=settings.GPU_LABS)
    published = Lab.objects.filter(slug=summary.slug, version=summary.version).first()
    if published is not None and published.folder.is_dir():
        # a later grader may read more of the same files
        published.manifest = msgspec.json.encode(summary).decode()
        published.save(update_fields=["manifest"])
        return published
    path = f"{summary.slug}/{summary.version}"
    _copy(folder, Path(settings.LABS_DIR) / path)
    lab, _ = Lab.objects.update_or_create(
        slug=summary.slug,
        version=summary.version,
        defaults={
            "title": summary.title,
            "path": path,
            "manifest": msgspec.json.encode(summary).decode(),
            "published_at": clock.now(),
        },
    )
    return lab


@transaction.atomic
def assign_lab(*, assignment: Assignment, lab: Lab, by: User | None = None) -> Assignment:
    """Make `lab` the version that this assignment grades with; its points become the assignment's."""
    before = _version(assignment)
    assignment.lab = lab
    assignment.points = Decimal(str(lab.summary.max_score))
    assignment.save(update_fields=["lab", "points"])
    if before != (after := _version(assignment)):
        record(
            actor=by,
            action="set the lab's version",
            subject=assignment,
            offering_id=assignment.offering_id,
            before=before,
            after=after,
        )
    return assignment


@transaction.atomic
def set_limits(
    *, assignment: Assignment, max_attempts: int | None, cooldown_minutes: int | None, by: User
) -> Assignment:
    """How many attempts a student has, and the minutes between two of them; None is no limit. What was handed in stays."""
    before = _limits(assignment)
    assignment.max_attempts, assignment.cooldown_minutes = max_attempts, cooldown_minutes
    assignment.save(update_fields=["max_attempts", "cooldown_minutes"])
    record(
        actor=by,
        action="set limits",
        subject=assignment,
        offering_id=assignment.offering_id,
        before=before,
        after=_limits(assignment),
    )
    return assignment


def _version(assignment: Assignment) -> str:
    return f"{assignment.lab}, {assignment.points.normalize():f} points" if assignment.lab else ""


def _limits(assignment: Assignment) -> str:
    attempts, minutes = assignment.max_attempts, assignment.cooldown_minutes
    return f"attempts: {attempts or 'no limit'}; minutes between two: {minutes or 'none'}"


def _copy(folder: Path, target: Path) -> None:
    """Copy beside the target first, so that a half-made copy is never taken for a version."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as beside:
        copy = Path(beside) / "copy"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*UNPUBLISHED))
        if not target.exists():
            copy.rename(target)
