"""Versions of drafts: whatever was typed and sent is found again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config import clock
from submissions.drafts import NOTEBOOK_VERSIONS, DraftConflict, restore_version, save_draft
from submissions.models import Draft, DraftVersion
from tests.factories import ReadingFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def reading(world):
    return ReadingFactory(assignment__offering=world.offering).assignment


@pytest.fixture
def save(world, reading, at):
    """Save, `seconds` after the last save; returns the draft's revision."""
    moment = clock.now()

    def later(text: str, revision: int, tab: str = "one", seconds: float = 0, **more: str) -> int:
        nonlocal moment
        moment += timedelta(seconds=seconds)
        at(moment)
        texts = {"problem": text, **more}
        made = save_draft(assignment=reading, enrollment=world.student, sources=texts, revision=revision, tab=tab)
        return made.revision

    return later


def kept(*, aside: bool = False) -> list[str]:
    return [version.cells["problem"] for version in DraftVersion.objects.filter(put_aside=aside).order_by("pk")]


def test_one_window_typing_within_a_minute_is_one_version(save):
    for revision, text in enumerate(("T", "The", "The problem")):
        save(text, revision, seconds=10)
    assert kept() == ["The problem"]


def test_after_a_minute_a_new_version_begins_however_steadily_one_types(save):
    for revision in range(9):
        save("x" * revision + "y", revision, seconds=20)
    assert len(kept()) == 3


def test_what_is_deleted_within_the_minute_is_kept(save):
    save("A long sentence that somebody took a while to write down.", 0)
    save("", 1, seconds=5)
    save("Another", 2, seconds=5)
    assert kept() == ["A long sentence that somebody took a while to write down.", "Another"]


def test_two_windows_are_two_versions(save):
    save("first", 0, "one")
    save("second", 1, "two", seconds=1)
    assert kept() == ["first", "second"]


def test_what_meets_a_newer_text_is_put_aside_and_the_draft_stays(save):
    save("typed here", 0, "one")
    with pytest.raises(DraftConflict) as conflict:
        save("typed there", 0, "two")
    assert conflict.value.draft.cells == {"problem": "typed here"}
    assert (kept(), kept(aside=True)) == (["typed here"], ["typed there"])
    assert Draft.objects.get().cells == {"problem": "typed here"}


def test_a_window_that_keeps_meeting_it_piles_up_nothing(save):
    save("typed here", 0, "one")
    for text in ("t", "ty", "typ"):
        with pytest.raises(DraftConflict):
            save(text, 0, "two", seconds=2)
    assert kept(aside=True) == ["typ"]


def test_both_windows_texts_survive_whoever_is_chosen(save):
    save("typed here", 0, "one")
    with pytest.raises(DraftConflict):
        save("typed there", 0, "two")
    save("typed there", 1, "two")
    with pytest.raises(DraftConflict):
        save("typed here and on", 1, "one")
    assert set(kept()) | set(kept(aside=True)) >= {"typed here", "typed there", "typed here and on"}
    assert Draft.objects.get().cells == {"problem": "typed there"}


def test_another_button_of_the_same_window_is_no_conflict(save):
    save("typed", 0, "one")
    assert save("typed on", 0, "one") == 2


def test_without_a_name_no_window_is_taken_for_another(save):
    save("typed", 0, "")
    with pytest.raises(DraftConflict):
        save("typed on", 0, "")


def test_a_draft_from_before_versions_keeps_its_text(save, world, reading):
    Draft.objects.create(
        assignment=reading,
        enrollment=world.student,
        cells={"problem": "from last week"},
        revision=4,
        updated_at=clock.now() - timedelta(days=7),
    )
    save("new", 4)
    assert kept() == ["from last week", "new"]


def test_a_restored_version_is_the_draft_and_what_it_replaced_is_kept(save):
    save("early", 0, "one")
    save("late", 1, "two")
    draft = restore_version(version=DraftVersion.objects.get(cells={"problem": "early"}))
    assert (draft.cells, draft.revision) == ({"problem": "early"}, 3)
    assert kept() == ["early", "late", "early"]


def test_of_a_notebook_the_latest_are_kept_and_what_was_put_aside(world):
    save_draft(assignment=world.lab, enrollment=world.student, sources={"a": "0"}, revision=0)
    with pytest.raises(DraftConflict):
        save_draft(assignment=world.lab, enrollment=world.student, sources={"a": "other"}, revision=0, tab="two")
    for revision in range(1, NOTEBOOK_VERSIONS + 5):
        save_draft(assignment=world.lab, enrollment=world.student, sources={"a": str(revision)}, revision=revision)
    texts = [version.cells["a"] for version in DraftVersion.objects.filter(put_aside=False).order_by("pk")]
    assert texts == [str(number) for number in range(5, NOTEBOOK_VERSIONS + 5)]
    assert DraftVersion.objects.get(put_aside=True).cells == {"a": "other"}
