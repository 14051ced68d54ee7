"""Passwords are set by a mailed link: once, for whoever has the mail, and nobody learns whose addresses are known."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.passwords.mail import link_of, mail_due_links
from accounts.passwords.models import PasswordLetter
from accounts.passwords.services import ask, invite
from config import clock
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
GOOD = "a rather long passphrase"


@pytest.fixture
def newcomer() -> User:
    return User.objects.create_user("new@example.edu", "New Person")


def mailed_link() -> str:
    (link,) = re.findall(r"http://[^\s]+(/password/\S+/\S+/)", mail.outbox[-1].body)
    return link


def set_password(link: str, password: str = GOOD):
    client = Client()
    form = client.get(link, follow=True)
    return client.post(form.request["PATH_INFO"], {"new_password1": password, "new_password2": password}, follow=True)


def test_an_invited_person_sets_a_password_and_signs_in(newcomer):
    assert not newcomer.has_usable_password()
    assert invite(users=[newcomer], by=UserFactory()) == 1
    assert mail_due_links() == 1
    answer = set_password(mailed_link())
    assert "Your password is set" in answer.content.decode()
    assert Client().login(username="new@example.edu", password=GOOD)


def test_a_link_works_once(newcomer):
    link = link_of(newcomer)
    set_password(link)
    answer = Client().get(link, follow=True)
    assert "This link works no more" in answer.content.decode()


def test_a_link_grows_old(newcomer, settings):
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "This link works no more" in Client().get(link_of(newcomer), follow=True).content.decode()


@pytest.mark.parametrize("link", ["/password/x/y/", "/password/MQ/abc-def/", "/password/OTk5OTk/set-password/"])
def test_a_link_that_was_made_up_leads_nowhere(link):
    assert "This link works no more" in Client().get(link, follow=True).content.decode()


def test_a_weak_password_is_refused_with_a_sentence(newcomer):
    answer = set_password(link_of(newcomer), "12345678")
    assert "errorlist" in answer.content.decode()
    newcomer.refresh_from_db()
    assert not newcomer.has_usable_password()


def test_who_has_a_password_or_a_closed_account_is_not_invited():
    closed = User.objects.create_user("closed@example.edu", "Closed")
    closed.is_active = False
    closed.save()
    assert invite(users=[UserFactory(), closed], by=UserFactory()) == 0
    assert not PasswordLetter.objects.exists()


def test_known_and_unknown_addresses_get_the_same_answer(newcomer):
    answers = [
        Client().post("/password/", {"email": address}, follow=True)
        for address in ("NEW@example.edu", "who@example.edu")
    ]
    texts = [re.sub(r'csrfmiddlewaretoken" value="\w+"', "", answer.content.decode()) for answer in answers]
    assert texts[0] == texts[1]
    assert PasswordLetter.objects.get().user == newcomer
    mail_due_links()
    assert "your password stays as it is" in mail.outbox[0].body


def test_asking_again_at_once_sends_no_second_mail(newcomer, at):
    now = clock.now()
    at(now)
    assert ask(email=newcomer.email)
    assert not ask(email=newcomer.email)
    at(now + timedelta(minutes=3))
    assert ask(email=newcomer.email)


def test_one_place_cannot_have_mails_sent_to_everybody(settings):
    settings.PASSWORD_ASKS = 3
    answers = [Client().post("/password/", {"email": UserFactory().email}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [302, 302, 302, 422, 422]
    assert "Many links were asked for" in answers[-1].content.decode()
    assert PasswordLetter.objects.count() == 3


def test_a_class_in_one_room_gets_its_links():
    answers = {Client().post("/password/", {"email": UserFactory().email}).status_code for _ in range(40)}
    assert answers == {302}
    assert PasswordLetter.objects.count() == 40


def test_what_is_no_address_is_refused():
    answer = Client().post("/password/", {"email": "nobody"})
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()


def test_a_mail_server_that_is_away_delays_the_link(newcomer, monkeypatch):
    def away(_self) -> None:
        raise ConnectionRefusedError

    invite(users=[newcomer], by=UserFactory())
    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.backends.locmem.EmailBackend.open", away)
        assert mail_due_links() == 0
    assert PasswordLetter.objects.get().mailed_at is None
    assert mail_due_links() == 1


def test_names_stay_text_in_the_mail():
    user = User.objects.create_user("x@example.edu", "<b>Bold</b> & Co")
    invite(users=[user], by=UserFactory())
    mail_due_links()
    assert "Hello <b>Bold</b> & Co," in mail.outbox[0].body
    assert mail.outbox[0].subject == "Set your password for Gradlab"
