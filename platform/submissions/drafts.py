"""Drafts and their versions: whatever a window saved, or tried to save, is kept until staff delete the assignment.

One window's saves within a minute are one version, as long as its text only grows. A text that met a newer one of another window is put
aside: it never replaces the draft, and its student finds it among the versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from assignments.models import Assignment, Kind
from config import clock
from courses.models import Enrollment
from submissions.models import Draft, DraftVersion

SAME_VERSION = timedelta(minutes=1)
SHORTENED = 40  # characters; what takes away more than this begins a new version
NOTEBOOK_VERSIONS = 20  # a notebook is large, and its student has it in other places, too


class DraftConflict(Exception):  # noqa: N818 - a fact for the page to resolve
    """The draft was saved elsewhere since the page read it. What was to be saved is put aside as a version."""

    def __init__(self, draft: Draft) -> None:
        super().__init__("This draft was changed in another window.")
        self.draft = draft


def save_draft(
    *, assignment: Assignment, enrollment: Enrollment, sources: dict[str, str], revision: int, tab: str = ""
) -> Draft:
    """Save the text of window `tab` over revision `revision`; raises `DraftConflict` when another window saved since.

    Saving what is stored already changes nothing, so a repeated request is not a conflict.
    """
    draft, saved = _save(assignment, enrollment, sources, revision, tab)
    if not saved:  # raised out here, so that what was put aside stays
        raise DraftConflict(draft)
    return draft


def restore_version(*, version: DraftVersion) -> Draft:
    """Make an earlier text the draft again; what the draft is now stays among the versions."""
    draft = version.draft
    return save_draft(
        assignment=draft.assignment, enrollment=draft.enrollment, sources=version.cells, revision=draft.revision
    )


@transaction.atomic
def _save(
    assignment: Assignment, enrollment: Enrollment, sources: dict[str, str], revision: int, tab: str
) -> tuple[Draft, bool]:
    draft, _ = Draft.objects.select_for_update().get_or_create(
        assignment=assignment, enrollment=enrollment, defaults={"updated_at": clock.now()}
    )
    if draft.cells == sources and draft.revision > 0:
        return draft, True
    if draft.revision != revision and not _is_own(draft, tab):
        _put_aside(draft, sources, tab)
        return draft, False
    _keep_first(draft)
    draft.cells, draft.revision, draft.updated_at = sources, draft.revision + 1, clock.now()
    draft.save(update_fields=["cells", "revision", "updated_at"])
    _keep(draft, tab)
    return draft, True


def _is_own(draft: Draft, tab: str) -> bool:
    """Whether the stored text came from this same window, by another of its buttons: no other hand is in between."""
    latest = draft.versions.filter(put_aside=False).first() if tab else None
    return latest is not None and (latest.tab, latest.revision) == (tab, draft.revision)


def _keep_first(draft: Draft) -> None:
    """A draft from before versions were kept gets its first one."""
    if draft.revision and not draft.versions.exists():
        DraftVersion.objects.create(
            draft=draft,
            cells=draft.cells,
            revision=draft.revision,
            began_at=draft.updated_at,
            saved_at=draft.updated_at,
        )


def _keep(draft: Draft, tab: str) -> None:
    """Add the draft as it is now to its versions, or to the one that the same window has just begun."""
    now = draft.updated_at
    latest = draft.versions.filter(put_aside=False).first()
    if latest is not None and _goes_on(latest, draft.cells, tab, now):
        latest.cells, latest.revision, latest.saved_at = draft.cells, draft.revision, now
        latest.save(update_fields=["cells", "revision", "saved_at"])
        return
    DraftVersion.objects.create(
        draft=draft, cells=draft.cells, revision=draft.revision, tab=tab, began_at=now, saved_at=now
    )
    if draft.assignment.kind == Kind.LAB:
        older = draft.versions.filter(put_aside=False).values_list("pk", flat=True)[NOTEBOOK_VERSIONS:]
        DraftVersion.objects.filter(pk__in=list(older)).delete()


def _put_aside(draft: Draft, sources: dict[str, str], tab: str) -> None:
    now = clock.now()
    latest = draft.versions.filter(put_aside=True).first()
    if latest is not None and (latest.cells == sources or _goes_on(latest, sources, tab, now)):
        latest.cells, latest.saved_at = sources, now
        latest.save(update_fields=["cells", "saved_at"])
        return
    DraftVersion.objects.create(
        draft=draft, cells=sources, revision=draft.revision, tab=tab, put_aside=True, began_at=now, saved_at=now
    )


def _goes_on(version: DraftVersion, sources: Mapping[str, str], tab: str, now: datetime) -> bool:
    """Whether this is the same window typing on, with nothing lost worth a version of its own."""
    if not tab or version.tab != tab or now - version.began_at > SAME_VERSION:
        return False
    return all(len(text) - len(sources.get(name, "")) <= SHORTENED for name, text in version.cells.items())
