"""A check is asked for with its submission, done once, and neither lost nor done twice, whoever dies on the way."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from config import clock
from config.celery import app
from grader.api import GraderFault, SandboxUnavailable
from grader.contract import FindingState, PaperStyle
from grading.models import Lane
from projects.deliverables.models import Deliverable, Style
from projects.format import claims, runner
from projects.format.models import FormatCheck, PagePicture, State
from projects.format.runner import format_spec, run_check
from projects.format.services import request_again, request_check
from projects.format.sweep import drive_checks
from submissions import storage
from submissions.stores import StorageAway
from tests.papers import A4, paper, slides

pytestmark = pytest.mark.django_db


def later(check: FormatCheck) -> FormatCheck:
    """As it stands in the database now."""
    return FormatCheck.objects.get(pk=check.pk)


def test_a_conforming_report_is_found_to_be_one(hand_in):
    check = hand_in()
    assert check.state is State.WAITING
    run_check(check.pk)
    check = later(check)
    assert check.state is State.FINISHED
    report = check.report
    assert report is not None
    assert (report.style, report.content_pages, len(report.pages)) == (PaperStyle.NEURIPS_2020, 8, 10)
    assert {finding.state for finding in report.findings} == {FindingState.PASSED}
    pictures = list(check.pictures.all())
    assert [picture.page for picture in pictures] == list(range(1, 11))
    assert all(storage.read(picture.sha256).startswith(b"\x89PNG") for picture in pictures)


def test_the_deliverable_says_what_is_asked(hand_in, final):
    Deliverable.objects.filter(assignment=final).update(pages_to=7)
    check = hand_in(paper(page=A4))
    run_check(check.pk)
    failed = {one.rule for one in later(check).report.findings if one.state is FindingState.FAILED}
    assert failed == {"page-size", "pages"}
    Deliverable.objects.filter(assignment=final).update(style=Style.SLIDES, pages_from=None, pages_to=12)
    check = hand_in(slides(13))
    run_check(check.pk)
    report = later(check).report
    assert report.style is PaperStyle.SLIDES
    assert {one.rule: one.state for one in report.findings} == {
        "pages": FindingState.FAILED,
        "page-size": FindingState.PASSED,
        "embedded-fonts": FindingState.PASSED,
        "active": FindingState.PASSED,
    }


def test_the_grader_knows_every_style_of_a_deliverable():
    assert {style.value for style in PaperStyle} == set(Style.values)


def test_without_a_deliverable_no_style_is_asked(hand_in, final):
    check = hand_in()
    Deliverable.objects.all().delete()
    assert format_spec(check).style is PaperStyle.FREE


def test_asking_twice_is_asking_once(hand_in):
    check = hand_in()
    assert request_check(file=check.file).pk == check.pk
    assert FormatCheck.objects.count() == 1


def test_a_second_message_finds_nothing_to_do(hand_in, monkeypatch):
    check = hand_in()
    run_check(check.pk)
    done = later(check)
    monkeypatch.setattr(runner, "check_format", lambda _spec: pytest.fail("it was looked at twice"))
    run_check(check.pk)
    assert later(check).finished_at == done.finished_at


def test_a_file_that_is_no_pdf_is_told_in_a_sentence(hand_in):
    check = hand_in(b"no PDF at all")
    run_check(check.pk)
    check = later(check)
    assert check.state is State.REFUSED
    assert "is no PDF" in check.refusal
    assert check.faults == 0
    assert not PagePicture.objects.exists()


class TestFaults:
    @pytest.mark.parametrize("fault", [GraderFault("bug"), SandboxUnavailable("no walls")])
    def test_once_it_is_tried_again_and_twice_it_is_our_fault(self, hand_in, monkeypatch, fault):
        check = hand_in()

        def break_down(_spec):
            raise fault

        monkeypatch.setattr(runner, "check_format", break_down)
        run_check(check.pk)
        assert (later(check).state, later(check).faults) == (State.WAITING, 1)
        run_check(check.pk)
        check = later(check)
        assert check.state is State.FAILED
        assert check.error == f"{fault}\n{fault}"
        run_check(check.pk)
        assert later(check).faults == 2, "nobody tries for ever"

    def test_what_nobody_foresaw_is_our_fault_as_well_and_is_raised_for_the_log(self, hand_in, monkeypatch):
        check = hand_in()
        monkeypatch.setattr(runner, "check_format", lambda _spec: {}["missing"])
        with pytest.raises(KeyError):
            run_check(check.pk)
        assert later(check).error == "KeyError: 'missing'"

    def test_a_damaged_file_is_our_fault(self, hand_in):
        check = hand_in()
        storage.path(check.file.sha256).write_bytes(b"%PDF-1.7 another")
        run_check(check.pk)
        assert later(check).faults == 1

    def test_a_store_that_is_away_costs_no_try(self, hand_in, monkeypatch):
        check = hand_in()

        def away(_check):
            raise StorageAway("the bucket does not answer")

        monkeypatch.setattr(runner, "format_spec", away)
        run_check(check.pk)
        check = later(check)
        assert (check.state, check.attempt, check.faults) == (State.WAITING, 0, 0)

    def test_staff_have_it_tried_again(self, hand_in):
        check = hand_in()
        assert not request_again(check=check), "it is still waiting"
        FormatCheck.objects.filter(pk=check.pk).update(failed_at=clock.now(), faults=2, attempt=3, error="x")
        assert request_again(check=check)
        run_check(check.pk)
        check = later(check)
        assert (check.state, check.faults, check.error) == (State.FINISHED, 0, "")
        assert not request_again(check=check), "it is finished"


class TestFence:
    def test_a_worker_that_was_thought_dead_stores_nothing(self, hand_in, at):
        check = hand_in()
        start = clock.now()
        late = claims.claim(check_id=check.pk)
        assert claims.claim(check_id=check.pk) is None
        at(start + timedelta(seconds=django_settings.FORMAT_LEASE_S + 1))
        run_check(check.pk)
        done = later(check)
        assert done.state is State.FINISHED
        assert not claims.record_report(late, done.report, [])
        assert not claims.record_refusal(late, "no")
        assert not claims.record_fault(late, error="no")
        assert not claims.postpone(late, error="no")
        assert later(check).data == done.data
        assert later(check).pictures.count() == 10

    def test_the_lease_is_longer_than_the_grader_takes(self):
        from grader.papers.reader import LIMITS, TOGETHER_S

        assert TOGETHER_S + LIMITS.load_s < django_settings.FORMAT_LEASE_S


class TestMessages:
    def test_the_transaction_that_records_it_sends_one_after_its_end(
        self, hand_in, live_redis, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            check = hand_in()
            assert live_redis.llen(Lane.INTERACTIVE) == 0
        assert live_redis.llen(Lane.INTERACTIVE) == 1
        assert later(check).queued_at is not None

    def test_a_broker_that_is_away_keeps_nobody_from_handing_in(
        self, hand_in, settings, monkeypatch, django_capture_on_commit_callbacks
    ):
        settings.REDIS_URL = "unix:///nowhere/redis.sock"
        monkeypatch.setattr(app.conf, "broker_url", "redis+socket:///nowhere/redis.sock")
        with django_capture_on_commit_callbacks(execute=True):
            check = hand_in()
        assert later(check).queued_at is None

    @pytest.mark.usefixtures("live_redis")
    def test_the_sweeper_sends_what_was_lost_once_a_minute(self, hand_in, at):
        start = clock.now()
        check = hand_in()  # no transaction ends in this test, so nothing was sent
        assert drive_checks() == 1
        assert drive_checks() == 0
        at(start + timedelta(seconds=django_settings.FORMAT_REDISPATCH_S + 1))
        assert drive_checks() == 1
        run_check(check.pk)
        at(start + timedelta(hours=1))
        assert drive_checks() == 0

    def test_the_sweeper_is_told_to(self):
        assert drive_checks in [import_string(name) for name in django_settings.SWEEP_ALSO]

    def test_a_worker_knows_the_task(self):
        app.loader.import_default_modules()
        assert "projects.check_format" in app.tasks

    @pytest.mark.usefixtures("live_redis")
    def test_a_worker_that_vanished_is_replaced_and_the_third_is_the_last(self, hand_in, at):
        check = hand_in()
        for number in range(1, django_settings.FORMAT_MAX_CLAIMS + 1):
            at(clock.now() + timedelta(seconds=django_settings.FORMAT_LEASE_S + 1))
            assert drive_checks() == 1, number
            assert claims.claim(check_id=check.pk) is not None  # and dies
        assert drive_checks() == 0, "the lease still runs"
        at(clock.now() + timedelta(seconds=django_settings.FORMAT_LEASE_S + 1))
        assert drive_checks() == 0
        check = later(check)
        assert check.state is State.FAILED
        assert "3 workers took this check" in check.error

    def test_a_clock_that_was_set_back_keeps_nothing_for_ever(self, hand_in, at):
        check = hand_in()
        now = clock.now()
        at(now + timedelta(days=1))
        claims.claim(check_id=check.pk)
        at(now)
        assert claims.claim(check_id=check.pk) is not None


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_gets_it(hand_in):
    check = hand_in()
    start, won = threading.Barrier(6), []

    def work() -> None:
        start.wait()
        held = claims.claim(check_id=check.pk)
        if held is not None:
            won.append(held)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


@pytest.mark.django_db(transaction=True)
def test_a_submission_that_is_rolled_back_asks_for_nothing(hand_in, live_redis):
    with transaction.atomic():
        hand_in()
        transaction.set_rollback(True)
    assert not FormatCheck.objects.exists()
    assert live_redis.llen(Lane.INTERACTIVE) == 0
