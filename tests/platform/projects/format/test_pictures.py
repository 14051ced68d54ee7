"""Pictures of pages lie among the submitted files: kept as long as a row names them, in every backup, and forgotten when they are old."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.utils.module_loading import import_string

from config import clock
from projects.format.models import FormatCheck, PagePicture
from projects.format.runner import run_check
from projects.format.sweep import forget_old_pictures
from submissions import storage
from submissions.backup import make_backup
from submissions.services import forget_unused_files
from tests.factories import team, team_work
from tests.papers import A4, plain

from .conftest import submission_of


def short(text: str = "One page") -> bytes:
    """A PDF of one page."""
    return plain(lambda canvas: (canvas.drawString(100, 500, text), canvas.showPage()), size=A4)


@pytest.fixture
def checked(hand_in) -> FormatCheck:
    check = hand_in(short())
    run_check(check.pk)
    return check


def age_all(folder: Path) -> None:
    old = time.time() - 60
    for file in folder.glob("??/??/*"):
        os.utime(file, (old, old))


@pytest.mark.django_db
def test_pictures_are_kept_as_submitted_files_are(checked, files_dir, settings):
    settings.UNUSED_FILES_KEPT_S = 3
    named = {checked.pictures.get().sha256, checked.file.sha256}
    stray = storage.store(b"of nobody")
    age_all(files_dir)
    assert forget_unused_files() == 1
    assert set(storage.hashes()) == named
    assert stray not in named


@pytest.mark.django_db(transaction=True)
def test_a_backup_holds_them_and_says_which_it_lacks(checked, files_dir, tmp_path):
    picture = checked.pictures.get()
    whole = make_backup(tmp_path / "whole")
    assert whole.lacking == ()
    assert list((tmp_path / "whole/files").rglob(picture.sha256))
    storage.path(picture.sha256).unlink()
    assert make_backup(tmp_path / "torn").lacking == (picture.sha256,)


@pytest.mark.django_db
class TestForgetting:
    @pytest.fixture
    def forget(self, at):
        """`forget(days)`: the sweeper's turn, so many days from now."""
        start = clock.now()

        def turn(days: float) -> int:
            cache.clear()
            at(start + timedelta(days=days))
            return forget_old_pictures()

        return turn

    def test_the_latest_work_keeps_its_pictures(self, checked, forget):
        assert forget(400) == 0
        assert checked.pictures.count() == 1

    def test_what_was_handed_in_again_long_ago_loses_them_and_keeps_its_report(
        self, checked, hand_in, forget, files_dir, settings
    ):
        again = hand_in(short("Another page"))
        run_check(again.pk)
        kept = django_settings.FORMAT_PICTURES_KEPT_S / 86_400
        assert forget(kept - 1) == 0
        assert forget(kept + 1) == 1
        assert (checked.pictures.count(), again.pictures.count()) == (0, 1)
        checked.refresh_from_db()
        assert checked.report is not None
        settings.UNUSED_FILES_KEPT_S = 3
        age_all(files_dir)
        assert forget_unused_files() == 1
        assert set(storage.hashes()) == {checked.file.sha256, again.file.sha256, again.pictures.get().sha256}

    @pytest.mark.usefixtures("checked")
    def test_the_work_of_another_team_takes_nobody_s_place(self, final, world, forget):
        others = team(world.offering, world.other_student)
        team_work(final, others, data=short("Theirs"))
        assert forget(400) == 0

    def test_a_member_who_hands_in_with_another_team_takes_its_place(self, checked, final, world, forget):
        team_work(final, team_of(checked, final, world), data=short("Later"))
        assert forget(400) == 1

    def test_it_is_looked_at_once_an_hour(self, checked, hand_in, at):
        hand_in(short("Another page"))
        at(clock.now() + timedelta(days=400))
        assert forget_old_pictures() == 1
        PagePicture.objects.create(check_of=checked, page=1, sha256="0" * 64, width=1, height=1)
        assert forget_old_pictures() == 0

    def test_the_sweeper_is_told_to(self):
        assert forget_old_pictures in [import_string(name) for name in django_settings.SWEEP_ALSO]


def team_of(checked, final, world):
    """A new team of one of the authors alone."""
    member = submission_of(checked).authors.last().enrollment
    member.memberships.update(left_at=clock.now())
    return team(world.offering, member, name="A new one")
