"""Mailing receipts, by a real mail server on this machine: never in a submission's way, never twice, and again after a failure."""

from __future__ import annotations

import email
import email.policy
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from django.core import mail

from config import clock
from config.outbox import Outbox
from submissions.issuing import check_text
from submissions.mail import mail_due_receipts
from submissions.models import SignedReceipt, Submission
from tests.factories import submit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("socket_enabled")]


class Mailbox:
    """Keeps what comes, and refuses the addresses that it is told to."""

    def __init__(self) -> None:
        self.messages: list[email.message.EmailMessage] = []
        self.refused: set[str] = set()

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:
        if address in self.refused:
            return "550 No such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope) -> str:
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@pytest.fixture
def mailbox(settings) -> Iterator[Mailbox]:
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.hostname, server.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield box
    server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_each_receipt_is_mailed_once_with_the_signed_file(world, mailbox):
    submission = submit(world.lab, world.student)
    assert mailbox.messages == [], "a submission waits for no mail server"
    assert [mail_due_receipts(), mail_due_receipts()] == [1, 0]
    (message,) = mailbox.messages
    assert message["To"] == "ada.lindqvist@example.edu"
    assert message["Subject"] == f"Receipt #{submission.pk}: {world.lab.label}, attempt 1"
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == f"receipt-{submission.pk}.json"
    assert check_text(attachment.get_content().decode()).genuine
    body = message.get_body().get_content()
    assert submission.files.get().sha256 in body
    assert f"/r/{submission.signed_receipt.code}/" in body
    assert SignedReceipt.objects.get().mailed_at is not None


def test_a_setting_turns_it_off(world, settings):
    settings.RECEIPT_MAIL = False
    submit(world.lab, world.student)
    assert mail_due_receipts() == 0
    assert mail.outbox == []


def test_a_mail_server_that_is_away_delays_the_mail_and_nothing_else(world, mailbox, settings):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, free_port()
    submit(world.lab, world.student)
    assert mail_due_receipts() == 0
    settings.EMAIL_PORT = port
    assert mail_due_receipts() == 1
    assert Submission.objects.count() == 1


def test_a_mail_server_that_says_nothing_holds_the_sweeper_for_one_time_out(world, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_TIMEOUT = 0.2
    for student in (world.student, world.classmate):
        submit(world.lab, student)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        assert mail_due_receipts() == 0
        silent.settimeout(0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was called once, and not for each receipt
            silent.accept()


def test_one_address_that_is_refused_keeps_no_other_from_its_mail(world, mailbox, at):
    now = clock.now()
    at(now)
    mailbox.refused = {world.student.user.email}
    submit(world.lab, world.student)
    submit(world.lab, world.classmate)
    assert mail_due_receipts() == 1
    assert mailbox.messages[0]["To"] == world.classmate.user.email
    mailbox.refused = set()
    assert mail_due_receipts() == 0, "the next try waits"
    at(now + timedelta(minutes=5))
    assert mail_due_receipts() == 1


def test_what_is_refused_again_and_again_is_given_up(world, mailbox, at, settings):
    settings.RECEIPT_MAIL_TRIES = 3
    mailbox.refused = {world.student.user.email}
    submit(world.lab, world.student)
    for day in range(5):
        at(clock.now() + timedelta(days=day + 1))
        assert mail_due_receipts() == 0
    stored = SignedReceipt.objects.get()
    assert (stored.mail_tries, stored.mail_at, stored.mailed_at) == (3, None, None)


def test_two_sweepers_send_one_mail(world, mailbox, monkeypatch):
    """The other one takes the same list before this one comes to the row."""
    submit(world.lab, world.student)
    real = Outbox._claim

    def both(outbox, receipt):
        first, second = real(outbox, SignedReceipt.objects.get(pk=receipt.pk)), real(outbox, receipt)
        assert (first, second) == (True, False)
        return second

    monkeypatch.setattr(Outbox, "_claim", both)
    assert mail_due_receipts() == 0


def test_a_name_with_a_line_end_writes_no_header(world, mailbox):
    world.lab.title = "Tiny\r\nBcc: eve@example.edu"
    world.lab.save()
    submit(world.lab, world.student)
    assert mail_due_receipts() == 1
    assert mailbox.messages[0]["Bcc"] is None
