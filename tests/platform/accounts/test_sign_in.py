"""Signing in: whose address it is, how often it may fail, where it leads."""

from __future__ import annotations

import re
import time

import pytest
from django.contrib.auth.backends import ModelBackend
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.factories import EnrollmentFactory, UserFactory

pytestmark = pytest.mark.django_db
PASSWORD = "a long password"


@pytest.fixture
def ada():
    return UserFactory(name="Ada Lindqvist", email="ada@example.edu")


def sign_in(client, email="ada@example.edu", password=PASSWORD, **more):
    return client.post(reverse("sign-in"), {"username": email, "password": password, **more})


def autofocused(page: str) -> str:
    """The name of the one field that has the focus from the start."""
    [field] = [tag for tag in re.findall(r"<input [^>]+>", page) if " autofocus" in tag]
    return re.search(r'name="(\w+)"', field)[1]


def test_signing_in_leads_to_the_offering(client, ada):
    enrollment = EnrollmentFactory(user=ada)
    response = client.post(reverse("sign-in"), {"username": ada.email, "password": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == reverse("dashboard", args=[enrollment.offering.slug])


def test_capital_letters_in_an_address_do_not_matter(client, ada):
    assert sign_in(client, "ADA@Example.edu").status_code == 302


def test_someone_who_is_enrolled_nowhere_is_told(client, ada):
    client.force_login(ada)
    response = client.get(reverse("home"))
    assert response.status_code == 200
    assert b"<h1" in response.content


def test_a_wrong_password_and_an_unknown_address_sound_the_same(client, ada):
    wrong = sign_in(client, password="nope").content.decode()
    unknown = sign_in(client, "nobody@example.edu", "nope").content.decode()
    sentence = "This address and password do not belong together."
    assert sentence in wrong
    assert sentence in unknown


def test_who_mistyped_the_password_types_it_again_at_once(client, ada):
    assert autofocused(client.get(reverse("sign-in")).content.decode()) == "username"
    assert autofocused(sign_in(client, password="nope").content.decode()) == "password"


def test_after_ten_failures_even_the_right_password_waits(client, ada, settings):
    for _ in range(settings.SIGN_IN_FAILURES):
        sign_in(client, password="nope")
    response = sign_in(client)
    assert response.status_code == 200
    assert b"Try again in 5 minutes" in response.content
    assert sign_in(client, "someone@example.edu", "nope").content.count(b"Try again in 5 minutes") == 0


def test_a_post_without_a_password_does_not_start_the_count_anew(client, ada, settings):
    for _ in range(settings.SIGN_IN_FAILURES):
        sign_in(client, password="nope")
        sign_in(client, password="")
    assert b"Try again in 5 minutes" in sign_in(client).content


class Slow(ModelBackend):
    """Before it has looked at a password, the next try arrives, up to twenty of them."""

    looked_at = 0

    def authenticate(self, request, username=None, password=None, **more):
        Slow.looked_at += 1
        if Slow.looked_at < 20:
            sign_in(Client(), username, password)
        return super().authenticate(request, username, password, **more)


def test_tries_that_arrive_at_once_are_counted_each(client, ada, settings, monkeypatch):
    monkeypatch.setattr(Slow, "looked_at", 0)
    settings.AUTHENTICATION_BACKENDS = [f"{Slow.__module__}.{Slow.__qualname__}"]
    sign_in(client, password="nope")
    assert Slow.looked_at == settings.SIGN_IN_FAILURES


def test_another_address_is_not_locked_out(client, ada, settings):
    for _ in range(settings.SIGN_IN_FAILURES):
        sign_in(client, password="nope")
    response = client.post(reverse("sign-in"), {"username": ada.email, "password": PASSWORD}, REMOTE_ADDR="10.0.0.9")
    assert response.status_code == 302


def test_a_success_starts_the_count_anew(client, ada, settings):
    for _ in range(settings.SIGN_IN_FAILURES - 1):
        sign_in(client, password="nope")
    assert sign_in(client).status_code == 302
    client.logout()
    sign_in(client, password="nope")
    assert sign_in(client).status_code == 302


def test_a_cache_that_is_away_keeps_nobody_out(client, ada, settings, tmp_path):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"unix://{tmp_path / 'no.sock'}",
        }
    }
    sign_in(client, password="nope")
    assert sign_in(client).status_code == 302


def test_signing_in_never_leads_to_another_site(client, ada):
    response = sign_in(client, next="https://evil.example/")
    assert response.url == reverse("home")


@pytest.mark.parametrize("wanted", ["/sign-in/", "/sign-in/?next=/sign-in/", "//[", "/%00"])
def test_signing_in_never_leads_in_a_circle(client, ada, wanted):
    for _ in ("to sign in", "signed in already"):
        assert client.get(reverse("sign-in"), {"next": wanted}).status_code in {200, 302}
        answer = sign_in(client, next=wanted)
        assert answer.status_code == 302
        assert not answer.url.startswith(reverse("sign-in"))


def test_a_closed_account_cannot_sign_in(client, ada):
    User.objects.update(is_active=False)
    assert sign_in(client).status_code == 200


def test_signing_out_ends_the_session(client, ada):
    client.force_login(ada)
    client.post(reverse("sign-out"))
    assert client.get(reverse("home")).status_code == 302


def test_the_page_one_wanted_comes_after_signing_in(client, ada):
    enrollment = EnrollmentFactory(user=ada)
    wanted = reverse("readings", args=[enrollment.offering.slug])
    response = client.get(wanted)
    assert response.url == f"{reverse('sign-in')}?next={wanted}"


@pytest.mark.parametrize(
    ("name", "sorted_as"),
    [("Ada Lindqvist", "Lindqvist, Ada"), ("Ana María Ruiz", "Ruiz, Ana María"), ("Prince", "Prince")],
)
def test_lists_are_sorted_by_family_name(name, sorted_as):
    assert User.objects.create_user(f"{len(name)}@Example.edu", name).sort_name == sorted_as


def test_the_longest_name_has_a_place_in_a_list():
    made = User.objects.create_user("long@example.edu", f"{'x' * 100} {'y' * 99}")
    made.full_clean(exclude=["password"])
    assert made.sort_name.startswith(f"{'y' * 99}, x")


def test_without_a_password_nobody_can_sign_in(client):
    User.objects.create_user("ghost@example.edu", "A Ghost")
    assert sign_in(client, "ghost@example.edu", "").status_code == 200


def test_failures_are_forgotten_after_the_window(client, ada, settings):
    settings.SIGN_IN_WINDOW_S = 1
    for _ in range(settings.SIGN_IN_FAILURES):
        sign_in(client, password="nope")
    assert sign_in(client).status_code == 200
    time.sleep(1.1)
    assert sign_in(client).status_code == 302
