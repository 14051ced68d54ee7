"""Drafts: every keystroke's safety net, with two windows open at once."""

from __future__ import annotations

import pytest
from django.urls import reverse

from submissions.drafts import DraftConflict, save_draft
from submissions.models import Draft

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


def save(world, sources, revision, who=None):
    return save_draft(assignment=world.lab, enrollment=who or world.student, sources=sources, revision=revision)


def test_each_save_is_one_revision(world):
    assert [save(world, {"a": str(n)}, n).revision for n in range(3)] == [1, 2, 3]
    assert Draft.objects.get().cells == {"a": "2"}


def test_a_second_window_does_not_overwrite_the_first(world):
    save(world, {"a": "first window"}, 0)
    with pytest.raises(DraftConflict) as conflict:
        save(world, {"a": "second window"}, 0)
    assert conflict.value.draft.revision == 1
    assert Draft.objects.get().cells == {"a": "first window"}


def test_a_request_that_is_repeated_is_no_conflict(world):
    save(world, {"a": "1"}, 0)
    assert save(world, {"a": "1"}, 0).revision == 1


def test_everyone_has_a_draft_of_their_own(world):
    save(world, {"a": "mine"}, 0)
    assert save(world, {"a": "theirs"}, 0, world.classmate).revision == 1
    assert Draft.objects.count() == 2


def test_the_editor_hears_json(world, browser):
    url = reverse("lab-draft", args=[world.offering.slug, world.lab.slug])
    client = browser(world.student)
    first = client.post(url, {"cell-a": "x = 1\r\ny = 2", "revision": "0"}, headers=JSON)
    assert first.json()["revision"] == 1
    assert Draft.objects.get().cells == {"a": "x = 1\ny = 2"}
    conflict = client.post(url, {"cell-a": "other", "revision": "0"}, headers=JSON)
    assert conflict.status_code == 409
    assert conflict.json()["sources"] == {"a": "x = 1\ny = 2"}
    assert conflict.json()["revision"] == 1


def test_the_draft_is_in_the_editor_the_next_time(world, browser):
    from grader.api import notebook_cells

    key = next(cell.key for cell in notebook_cells(world.lab.lab.folder) if cell.kind == "solution")
    save(world, {key: "remembered = 1"}, 0)
    page = browser(world.student).get(reverse("lab", args=[world.offering.slug, world.lab.slug])).content.decode()
    assert "remembered = 1" in page
    assert (
        "remembered = 1"
        not in browser(world.classmate).get(reverse("lab", args=[world.offering.slug, world.lab.slug])).content.decode()
    )


def test_a_draft_may_be_kept_after_the_due_date(world, at):
    at(world.lab.due_at.replace(year=world.lab.due_at.year + 1))
    assert save(world, {"a": "1"}, 0).revision == 1
