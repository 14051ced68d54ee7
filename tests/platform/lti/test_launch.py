"""A launch: what a platform may send, and what nobody can forge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import AuditEvent
from lti import keys
from lti.claims import service_url
from lti.launches.services import own_path
from lti.models import Arrival, Platform, UsedNonce
from tests.platform.lti.conftest import begin, come
from tests.platform.lti.double import CLAIM, CLIENT, encoded, signed

pytestmark = pytest.mark.django_db


def post(client: Client, state: str, token: str):
    return client.post("/lti/launch/", {"state": state, "id_token": token})


def test_the_platform_is_asked_as_the_standard_says(double, registered):
    client = Client()
    asked = begin(double, client, target_link_uri="https://evil.example/", lti_message_hint="m-1")
    assert asked["redirect_uri"] == "http://localhost:8000/lti/launch/"
    assert (asked["scope"], asked["response_type"], asked["response_mode"], asked["prompt"]) == (
        "openid",
        "id_token",
        "form_post",
        "none",
    )
    assert (asked["client_id"], asked["login_hint"], asked["lti_message_hint"]) == (CLIENT, "hint", "m-1")
    (cookie,) = client.cookies.values()
    assert cookie["httponly"]
    assert cookie["path"] == "/lti/"


def test_over_https_the_handshake_comes_back_from_another_site(double, registered, settings):
    settings.HTTPS = True
    client = Client()
    begin(double, client)
    (cookie,) = client.cookies.values()
    assert (cookie["samesite"], cookie["secure"]) == ("None", True)


def test_a_signed_message_arrives_and_a_frame_may_not_hold_it(double, registered):
    client = Client()
    answer = come(double, client)
    assert (answer.status_code, answer.url) == (302, "/lti/arrived/")
    assert Arrival.objects.get().subject == "subject-ada"
    page = client.get("/lti/arrived/")
    assert "Ada Lindqvist" in page.content.decode()
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_login_may_leave_the_client_out_and_come_by_post(double, registered):
    answer = Client(enforce_csrf_checks=True).post("/lti/login/", {"iss": double.url, "login_hint": "hint"})
    assert answer.url.startswith(f"{double.url}/auth?")


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"iss": "https://nobody.example", "login_hint": "h"},
        {"login_hint": "h"},
        {"iss": "HERE"},
        {"iss": "HERE", "login_hint": "h", "client_id": "other"},
    ],
)
def test_a_login_that_is_none_is_refused_with_a_sentence(double, registered, params):
    params = {key: double.url if value == "HERE" else value for key, value in params.items()}
    answer = Client().get("/lti/login/", params)
    assert answer.status_code == 400
    assert "open Gradlab again" in answer.content.decode()


def test_a_platform_that_is_switched_off_opens_nothing(double, registered):
    client = Client()
    asked = begin(double, client)
    Platform.objects.update(active=False)
    assert post(client, asked["state"], double.sign(double.claims(asked["nonce"]))).status_code == 400


def forged(double, claims):
    return signed(rsa.generate_private_key(65537, 2048), claims, kid="one")


def unsigned(double, claims):
    head = encoded(json.dumps({"alg": "none", "typ": "JWT", "kid": "one"}).encode())
    return f"{head}.{encoded(json.dumps(claims).encode())}."


def by_public_key(double, claims):
    """HS256 whose secret is the public key, which everyone knows."""
    head = encoded(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "one"}).encode())
    body = f"{head}.{encoded(json.dumps(claims).encode())}"
    return f"{body}.{encoded(hmac.new(double.public_pem, body.encode(), hashlib.sha256).digest())}"


def tampered(double, claims):
    head, _, signature = double.sign(claims).split(".")
    return f"{head}.{encoded(json.dumps(claims | {'sub': 'someone-else'}).encode())}.{signature}"


def unknown_key(double, claims):
    return signed(double.key, claims, kid="two")


def other_algorithm(double, claims):
    return signed(double.key, claims, kid="one", alg="RS512")


@pytest.mark.parametrize("attack", [forged, unsigned, by_public_key, tampered, unknown_key, other_algorithm])
def test_a_signature_that_is_not_the_platforms_is_refused(double, registered, attack):
    client = Client()
    asked = begin(double, client)
    assert post(client, asked["state"], attack(double, double.claims(asked["nonce"]))).status_code == 400
    assert not Arrival.objects.exists()
    assert not UsedNonce.objects.exists()


NOW = int(time.time())


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-tool"},
        {"aud": ["another-tool", CLIENT]},
        {"aud": [CLIENT, "another-tool"]},
        {"iss": "https://another.example"},
        {CLAIM + "deployment_id": "another"},
        {CLAIM + "deployment_id": None},
        {"exp": NOW - 120, "iat": NOW - 300},
        {"exp": None},
        {"iat": None},
        {"iat": NOW + 3000, "exp": NOW + 3300},
        {"exp": NOW + 10 * 86_400},
        {"nonce": "a nonce of another handshake"},
        {"nonce": None},
        {"sub": None},
        {CLAIM + "version": "1.1"},
        {
            CLAIM + "message_type": "LtiDeepLinkingRequest",
            "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings": {
                "deep_link_return_url": "https://p.example/",
                "accept_types": ["ltiResourceLink"],
                "accept_presentation_document_targets": ["window"],
            },
        },
        {CLAIM + "message_type": None},
        {CLAIM + "resource_link": "not an object"},
        {CLAIM + "roles": None},
    ],
)
def test_a_message_that_is_not_for_us_or_not_now_is_refused(double, registered, changes):
    assert come(double, Client(), **changes).status_code == 400
    assert not Arrival.objects.exists()


@pytest.mark.parametrize("seconds", [-50, 50])
def test_clocks_may_differ_by_a_minute(double, registered, seconds):
    now = int(time.time()) + seconds
    assert come(double, Client(), iat=now, exp=now + 5 if seconds < 0 else now + 300).status_code == 302


@pytest.mark.parametrize("client_claim", [[CLIENT], CLIENT])
def test_an_audience_may_be_a_list(double, registered, client_claim):
    assert come(double, Client(), aud=client_claim).status_code == 302


def test_a_message_is_used_once(double, registered):
    client = Client()
    asked = begin(double, client)
    token = double.sign(double.claims(asked["nonce"]))
    assert post(client, asked["state"], token).status_code == 302
    assert post(client, asked["state"], token).status_code == 400
    assert Arrival.objects.count() == 1


def test_a_message_works_in_the_browser_that_began_alone(double, registered):
    """Otherwise someone could let another person's browser arrive as themselves."""
    mine, theirs = Client(), Client()
    asked = begin(double, mine)
    begin(double, theirs)
    assert post(theirs, asked["state"], double.sign(double.claims(asked["nonce"]))).status_code == 400


def test_a_handshake_ends(double, registered, monkeypatch):
    client = Client()
    asked = begin(double, client)
    later = time.time() + 601
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)
    assert post(client, asked["state"], double.sign(double.claims(asked["nonce"]))).status_code == 400


@pytest.mark.parametrize(
    "token", ["", "a.b", "a.b.c", "W10.W10.x", "MQ.MQ.MQ", f"{base64.b64encode(b'{}').decode()}.e30.x"]
)
def test_a_token_that_is_none_is_refused(double, registered, token):
    client = Client()
    assert post(client, begin(double, client)["state"], token).status_code == 400


@pytest.mark.parametrize("fault", [500, 404, 302])
def test_a_platform_without_its_keys_is_a_sentence(double, registered, fault):
    double.faults["/jwks"] = [fault]
    assert come(double, Client()).status_code == 400


def test_claims_of_any_type_are_read(double, registered):
    changes = {CLAIM + "context": {"id": "c", "title": ["x"]}, CLAIM + "roles": [1, None, {}], "name": 7, "email": []}
    client = Client()
    assert come(double, client, **changes).status_code == 302
    assert client.get("/lti/arrived/").status_code == 200


def test_a_launch_from_no_course_says_so(double, registered):
    answer = come(double, Client(), **{CLAIM + "context": None})
    assert "names no course" in answer.content.decode()


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://localhost:8000/o/cs/labs/?q=1", "/o/cs/labs/?q=1"),
        ("http://localhost:8000/lti/launch/", ""),
        ("https://evil.example/o/", ""),
        ("http://localhost:8000@evil.example/", ""),
        ("http://localhost:8000//evil.example/", ""),
        ("http://localhost:8000/\\evil.example/", ""),
        ("http://localhost:8000\\@evil.example/", ""),
        ("//evil.example/", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_a_target_leads_to_this_site_alone(target, path):
    assert own_path(target) == path


def test_our_keys_show_no_secret(double, client):
    (row,) = client.get("/lti/jwks/").json()["keys"]
    assert set(row) == {"kty", "kid", "use", "alg", "n", "e"}


def test_a_key_is_made_once_and_is_nobody_elses(tmp_path, settings):
    settings.LTI_KEY, settings.DATA_DIR = "", tmp_path
    first = keys.private_pem()
    path = tmp_path / "lti" / "key.pem"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    keys._make(path)  # another process, at the same moment
    assert keys.private_pem() == first
    assert [file.name for file in path.parent.iterdir()] == ["key.pem"]


def register(*more):
    urls = [
        "--auth-url",
        "https://p.example/a",
        "--token-url",
        "https://p.example/t",
        "--jwks-url",
        "https://p.example/k",
    ]
    named = ["--issuer", "https://p.example", "--client", "c1", "--deployment", "d1"]
    call_command("lti_platform", "add", "Canvas", *urls, *named, *more)


def test_the_operator_registers_a_platform(capsys):
    register("--deployment", "d2")
    register()
    platform = Platform.objects.get()
    assert {row.deployment_id for row in platform.deployments.all()} == {"d1", "d2"}
    assert "http://localhost:8000/lti/login/" in capsys.readouterr().out
    call_command("lti_platform", "off", "--issuer", "https://p.example", "--client", "c1")
    platform.refresh_from_db()
    assert not platform.active
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["registered a platform", "changed a platform", "switched a platform off"]


def test_keys_and_tokens_travel_by_https_alone(settings):
    settings.DEMO = settings.DEBUG = False
    with pytest.raises(CommandError, match="https"):
        register("--token-url", "http://p.example/t")
    assert not Platform.objects.exists()


def test_keys_are_asked_for_once_and_new_ones_at_once(double, registered):
    for _ in range(2):
        assert come(double, Client()).status_code == 302
    assert double.asked.count("GET /jwks") == 1
    double.key, double.kid = rsa.generate_private_key(65537, 2048), "two"
    assert come(double, Client()).status_code == 302
    assert double.asked.count("GET /jwks") == 2


def test_unknown_keys_do_not_make_us_ask_each_time(double, registered):
    assert come(double, Client()).status_code == 302
    for n in range(5):
        client = Client()
        asked = begin(double, client)
        token = signed(double.key, double.claims(asked["nonce"]), kid=f"unknown-{n}")
        assert post(client, asked["state"], token).status_code == 400
    assert double.asked.count("GET /jwks") == 2


@pytest.mark.parametrize("asked", [{"iss": "https://a\0b"}, {"iss": "https://a", "client_id": "\0"}])
def test_an_issuer_that_no_database_can_hold_is_none(asked, django_assert_num_queries):
    with django_assert_num_queries(0):  # PostgreSQL would refuse the question
        answer = Client().get(
            "/lti/login/", {"login_hint": "hint", "target_link_uri": "http://localhost:8000/", **asked}
        )
    assert answer.status_code == 400


@pytest.mark.parametrize("address", ["https://[", "https://]x/", "ftp://x/", 7, "https://x/" + "y" * 1000])
def test_an_address_of_a_service_that_is_none_is_left_out(address):
    assert not service_url(address)
