"""Handing in a summary: what is stored, the receipt, the second that counts, what is asked and what is refused."""

from __future__ import annotations

import errno
import hashlib
import io
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client

from assignments.models import Assignment
from grading.models import GradingJob
from submissions import storage
from submissions.issuing import Standing, check_text
from submissions.mail import message_of
from submissions.models import Draft, Source, Submission
from submissions.texts import read_texts
from tests.factories import ExtensionFactory, chicago
from tests.platform.readings.summaries.posts import fields, whole

pytestmark = pytest.mark.django_db


def test_each_item_is_a_markdown_file_named_by_its_place(post):
    response, _ = post(whole())
    assert response.status_code == 302
    made = Submission.objects.get()
    assert [file.name for file in made.files.all()] == [
        "1-problem.md",
        "2-impact.md",
        "3-ideas.md",
        "4-technique.md",
        "5-assessment.md",
        "6-improvement.md",
    ]
    assert storage.read(made.files.first().sha256) == b"About the problem."
    assert read_texts(made)["ideas"] == "About the ideas."
    assert (made.source, made.number, made.late) == (Source.EDITOR, 1, False)


def test_nothing_waits_in_a_queue(post):
    post(whole())
    assert not GradingJob.objects.exists()
    assert json.loads(Submission.objects.get().signed_receipt.text)["waiting_ahead"] is None


def test_the_receipt_speaks_of_no_queue_anywhere(world, post, browser, tmp_path):
    post(whole())
    signed = Submission.objects.get().signed_receipt
    page = browser(world.student).get(f"/submissions/{signed.submission_id}/receipt/").content.decode()
    public = Client().get(f"/r/{signed.code}/").content.decode()
    (tmp_path / "receipt.json").write_text(signed.text)
    said = io.StringIO()
    call_command("verify_receipt", str(tmp_path / "receipt.json"), "--stored", stdout=said)
    for text in (page, public, said.getvalue(), message_of(signed).body):
        assert "1-problem.md" in text
        assert "waiting ahead" not in text
        assert "Queue" not in text
    assert "This receipt is genuine" in public
    assert check_text(signed.text).standing == Standing.PRESENT
    assert "Back to the summary" in page
    assert ">Readings</a>" in page


def test_the_page_names_the_receipt_and_stays_open(post, get):
    post(whole())
    page = get()
    assert f"Receipt {Submission.objects.get().receipt_number}" in page
    assert "Submit again" in page
    assert "About the ideas." in page


def test_the_last_attempt_counts_until_it_is_due(post, get):
    post(whole())
    post(
        whole()
        | fields(revision=1, problem="Better.")
        | {f"cell-{name}": "Better." for name in ("impact", "ideas")}
        | {"confirmed": "yes"}
    )
    assert [made.number for made in Submission.objects.order_by("pk")] == [1, 2]
    page = get()
    assert page.index("Attempt 2") < page.index("counts") < page.index("Attempt 1")


def test_a_double_click_is_one_attempt(post):
    for _ in range(2):
        post(whole() | {"client_token": "once"})
    assert Submission.objects.count() == 1


@pytest.mark.parametrize("file", [False, True], ids=["texts", "a file"])
def test_what_a_press_waits_for_on_the_server_makes_nobody_late(world, url, browser, at, file):
    client = browser(world.student)
    address, due_at = url("reading-submit"), Assignment.objects.get(slug="reading-1").due_at.replace(microsecond=0)
    at(due_at)

    def seconds_pass(execute, sql, params, many, context):
        at(due_at + timedelta(seconds=9))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(seconds_pass):
        sent = {"files": SimpleUploadedFile("summary.md", b"All of it.")} if file else whole()
        assert client.post(address, sent).status_code == 302
    assert Submission.objects.get().created_at == due_at


def test_who_goes_back_to_the_page_and_writes_more_has_handed_it_in(post):
    post(whole() | {"client_token": "once"})
    post(whole() | {"client_token": "once", "cell-problem": "What I meant.", "revision": "1"})
    assert read_texts(Submission.objects.get(number=2))["problem"] == "What I meant."


def test_all_empty_is_refused_with_a_sentence(post):
    response, page = post(fields(problem="  \n"))
    assert response.status_code == 422
    assert "All 6 items are empty, so nothing was handed in" in page
    assert not Submission.objects.exists()


def test_some_empty_is_asked_once_and_then_accepted(post):
    texts = dict.fromkeys(("problem", "impact", "ideas", "technique"), "Text.")
    response, page = post(fields(token="click", **texts))
    assert response.status_code == 422
    assert "2 of 6 items are empty: Strengths and weaknesses, Room for improvement." in page
    assert "Submit anyway" in page
    assert page.count(">\nText.</textarea>") == 4
    assert 'value="click"' in page
    assert not Submission.objects.exists()
    response, _ = post(fields(token="click", revision=1, **texts) | {"confirmed": "yes"})
    assert response.status_code == 302
    assert [file.name for file in Submission.objects.get().files.all()][-1] == "4-technique.md"


def test_one_empty_item_is_one(post):
    _, page = post(whole() | {"cell-ideas": ""})
    assert "1 of 6 items is empty: The main ideas." in page


@pytest.mark.parametrize(("seconds", "accepted"), [(-1, True), (0, True), (0.999, True), (1, False)])
def test_the_last_second_counts_and_the_next_does_not(reading, post, at, seconds, accepted):
    reading.opens_at, reading.due_at = chicago(2026, 2, 1), chicago(2026, 2, 20, 23, 59, 59)
    reading.save()
    at(reading.due_at + timedelta(seconds=seconds))
    response, page = post(whole())
    assert (response.status_code == 302) is accepted
    assert Submission.objects.exists() is accepted
    if not accepted:
        assert "was due Fri 20 Feb 2026, 23:59:59" in page
        assert "this arrived Sat 21 Feb 2026, 00:00:00 CST by the server&#x27;s clock" in page


def test_what_came_too_late_is_not_handed_in_and_not_lost(reading, post, at):
    at(reading.due_at + timedelta(minutes=1))
    _, page = post(whole())
    assert "About the technique." in page
    assert "Your draft, which was not handed in" in page
    assert Draft.objects.get().cells["technique"] == "About the technique."


def test_an_extension_moves_one_students_date_alone(world, reading, post, at):
    ExtensionFactory(assignment=reading, enrollment=world.student)
    at(reading.due_at + timedelta(days=1))
    assert post(whole())[0].status_code == 302
    assert Submission.objects.get().late
    assert post(whole(), who=world.classmate)[0].status_code == 422


def test_two_windows_do_not_hand_in_over_each_other(post, save):
    save(fields(problem="typed here") | {"tab": "one"})
    response, page = post(fields(problem="typed there") | {"tab": "two"})
    assert response.status_code == 422
    assert "changed in another window. Nothing was handed in." in page
    assert ">\ntyped there</textarea>" in page
    assert "typed here</pre>" in page
    assert not Submission.objects.exists()
    answer = fields(problem="typed there", revision=1) | {"tab": "two", "confirmed": "yes"}
    assert post(answer)[0].status_code == 302
    assert read_texts(Submission.objects.get()) == {"problem": "typed there"}


def test_what_is_posted_beside_the_items_is_not_kept(world, post):
    extra = {"cell-score": "12", "score": "12", "enrollment": world.classmate.pk, "cell-<script>": "x"}
    post(whole() | extra)
    assert set(Draft.objects.get().cells) == {"problem", "impact", "ideas", "technique", "assessment", "improvement"}
    assert Submission.objects.get().enrollment == world.student


def test_text_of_every_kind_comes_back_byte_for_byte(post):
    odd = "Zoë 吴 \u202e 👩‍💻 $a<b$\r\n\r\n    indented\0"
    post(whole() | {"cell-problem": odd})
    made = Submission.objects.get()
    assert read_texts(made)["problem"] == "Zoë 吴 \u202e 👩‍💻 $a<b$\n\n    indented"
    assert hashlib.sha256(read_texts(made)["problem"].encode()).hexdigest() == made.files.first().sha256


def test_a_text_without_end_is_refused_and_stays_in_the_form(post):
    response, page = post(whole() | {"cell-problem": "x" * 50_001})
    assert response.status_code == 422
    assert "at most 50,000 characters" in page
    assert "x" * 50_001 in page
    assert not Draft.objects.exists()


def test_a_full_disk_is_told_and_the_draft_is_kept(post, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "store", full)
        response, page = post(whole())
    assert response.status_code == 422
    assert "could not store your files" in page
    assert not Submission.objects.exists()
    assert Draft.objects.get().cells["ideas"] == "About the ideas."


def test_a_reading_without_a_rubric_takes_nothing_and_says_so(reading, post, get):
    reading.rubric.items.all().delete()
    response, page = post(whole())
    assert response.status_code == 422
    assert "no items to write about yet" in page
    assert "There is nothing to write about yet" in get()
