"""The pages around a receipt: to download it, and for anybody to check one."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from assignments.due.services import revoke
from submissions.models import SignedReceipt
from tests.factories import ExtensionFactory, submit

pytestmark = pytest.mark.django_db
CHECK = "/receipts/"


@pytest.fixture
def submission(world):
    return submit(world.lab, world.student)


def check(**data) -> tuple[int, str]:
    """As somebody who is not signed in."""
    response = Client().post(CHECK, data)
    return response.status_code, response.content.decode()


def test_the_receipt_page_offers_the_signed_file_and_names_where_it_is_checked(world, submission, browser):
    page = browser(world.student).get(reverse("submission-receipt", args=[submission.pk])).content.decode()
    stated = json.loads(submission.signed_receipt.text)
    assert reverse("submission-receipt-file", args=[submission.pk]) in page
    assert stated["check_at"] in page
    assert stated["received_at"] in page
    assert "0 waiting ahead of it" in page


def test_an_extension_that_is_revoked_later_changes_no_receipt(world, at, browser):
    extension = ExtensionFactory(assignment=world.lab, enrollment=world.student)
    at(world.lab.due_at + timedelta(days=1))
    client, pk = browser(world.student), submit(world.lab, world.student).pk
    due = [_due_on(client, pk)]
    revoke(grant=extension, reason="granted by mistake", by=world.instructor.user)
    due.append(_due_on(client, pk))
    assert due == [extension.due_at.replace(microsecond=0)] * 2


def _due_on(client, pk) -> datetime:
    page = client.get(reverse("submission-receipt", args=[pk])).content.decode()
    return datetime.fromisoformat(re.search(r'<dt>Due</dt><dd><time datetime="([^"]+)"', page)[1]).replace(
        microsecond=0
    )


def test_the_download_is_the_signed_text_byte_for_byte(world, submission, browser):
    response = browser(world.student).get(reverse("submission-receipt-file", args=[submission.pk]))
    assert response.content.decode() == submission.signed_receipt.text
    assert response.headers["Content-Disposition"] == f'attachment; filename="receipt-{submission.pk}.json"'


def test_a_submission_from_before_receipts_were_signed_still_has_its_page(world, submission, browser):
    SignedReceipt.objects.all().delete()
    client = browser(world.student)
    assert client.get(reverse("submission-receipt", args=[submission.pk])).status_code == 200
    assert client.get(reverse("submission", args=[submission.pk])).status_code == 200
    answer = client.get(reverse("submission-receipt-file", args=[submission.pk]))
    assert answer.status_code == 404
    assert "before receipts were signed" in answer.content.decode()


def test_anybody_can_paste_one(submission):
    status, page = check(text=submission.signed_receipt.text)
    assert status == 200
    assert "This receipt is genuine" in page
    assert "Ada Lindqvist" in page


def test_anybody_can_send_its_file(submission):
    status, page = check(file=SimpleUploadedFile("receipt.json", submission.signed_receipt.text.encode()))
    assert status == 200
    assert "This receipt is genuine" in page


def test_a_forged_one_is_told_and_none_of_it_is_shown(submission):
    status, page = check(text=submission.signed_receipt.text.replace("Ada Lindqvist", "<b>Eve</b>"))
    assert status == 200
    assert "This is not a genuine receipt" in page
    assert "Work" not in page
    assert "<b>Eve" not in page
    assert "Ada" not in page


def test_a_lost_submission_is_told(world, submission):
    text = submission.signed_receipt.text
    SignedReceipt.objects.all().delete()
    _, page = check(text=text)
    assert "genuine, but this submission is not in the database" in page


def test_the_page_tells_no_more_than_the_receipt_does(world, submission):
    """Neither score nor state, nor what others handed in."""
    others = submit(world.lab, world.classmate)
    _, page = check(text=submission.signed_receipt.text)
    for word in ("Kofi", f"#{others.pk}", "Waiting", "points", "Graded", f"/submissions/{submission.pk}"):
        assert word not in page


def test_the_short_address_shows_the_same(submission):
    stated = json.loads(submission.signed_receipt.text)
    path = "/r/" + stated["check_at"].split("/r/")[1]
    response = Client().get(path)
    assert response.status_code == 200
    assert "This receipt is genuine" in response.content.decode()
    assert response.headers["Cache-Control"].startswith("max-age=0")


def test_an_unknown_short_address_says_what_to_do(submission):
    response = Client().get("/r/0000/")
    assert response.status_code == 404
    assert "paste the receipt itself" in response.content.decode()


@pytest.mark.parametrize("data", [{}, {"text": "  "}, {"text": "a\0b"}, {"file": SimpleUploadedFile("x.json", b"")}])
def test_nothing_to_check_is_refused_with_a_sentence(data):
    status, page = check(**data)
    assert status == 422
    assert 'role="alert"' in page or "errorlist" in page


@pytest.mark.parametrize("data", [b"\xff\xfe\x00{}", b"{" * 200_000])
def test_any_file_gets_an_answer(db, data):
    status, page = check(file=SimpleUploadedFile("receipt.json", data))
    assert status == 200
    assert "This is not a genuine receipt" in page


def test_who_checks_too_often_waits_and_others_do_not(submission, settings):
    settings.RECEIPT_CHECKS = 3
    text = submission.signed_receipt.text
    assert [check(text=text)[0] for _ in range(3)] == [200] * 3
    status, page = check(text=text)
    assert status == 429
    assert "Try again in 5 minutes" in page
    assert "Ada" not in page
    code = json.loads(text)["code"]
    assert Client().get(f"/r/{code}/").status_code == 429
    assert Client(REMOTE_ADDR="198.51.100.7").post(CHECK, {"text": text}).status_code == 200
    assert Client().get(CHECK).status_code == 200


def test_without_a_cache_people_may_still_check(submission, settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "unix:///nowhere/redis.sock"}
    }
    assert check(text=submission.signed_receipt.text)[0] == 200
