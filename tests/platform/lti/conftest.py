"""Fixtures of LTI: a platform on localhost, a course of it that is linked, and browsers that come from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client
from pytest_socket import _remove_restrictions, enable_socket, socket_allow_hosts

from config import clock
from lti import keys
from lti.models import Context, Deployment, Platform
from tests.platform.lti.double import CLIENT, DEPLOYMENT, LINE_ITEM, SCORE, Double, serve


@pytest.fixture(scope="session")
def tool_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Our key, made once for all tests."""
    path = tmp_path_factory.mktemp("lti") / "key.pem"
    keys._make(path)
    return path.read_text()


@pytest.fixture
def double(_no_network: None, tool_key: str, settings: Any, tmp_path: Path) -> Iterator[Double]:
    """The platform. Sockets may reach this machine, and nothing else."""
    settings.LTI_KEY = tool_key
    enable_socket()
    socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)
    made = Double(tool_keys=keys.key_set)
    server = serve(made)
    yield made
    server.shutdown()
    server.server_close()
    _remove_restrictions()


@pytest.fixture
def registered(double: Double, db: None) -> Platform:
    """The platform, registered here."""
    urls = {name: f"{double.url}/{name}" for name in ("auth", "token", "jwks")}
    made = Platform.objects.create(
        name="Canvas",
        issuer=double.url,
        client_id=CLIENT,
        auth_url=urls["auth"],
        token_url=urls["token"],
        jwks_url=urls["jwks"],
    )
    Deployment.objects.create(platform=made, deployment_id=DEPLOYMENT)
    return made


@pytest.fixture
def course(registered: Platform, world: Any, double: Double) -> Context:
    """Its course, linked to the offering."""
    return Context.objects.create(
        deployment=registered.deployments.get(),
        context_id="course-7",
        title="Machine Learning Systems",
        offering=world.offering,
        linked_by=world.instructor.user,
        linked_at=clock.now(),
        memberships_url=f"{double.url}/Names?Course=7",
        line_items_url=f"{double.url}/lineitems",
        scopes=[LINE_ITEM, SCORE],
    )


def begin(double: Double, client: Client, **params: str) -> dict[str, str]:
    """The first step in a browser; what the platform is asked."""
    usual = {
        "iss": double.url,
        "client_id": CLIENT,
        "login_hint": "hint",
        "target_link_uri": "http://localhost:8000/lti/launch/",
    }
    answer = client.get("/lti/login/", usual | params)
    assert answer.status_code == 302, answer.content
    assert answer.url.startswith(f"{double.url}/auth?")
    return dict(parse_qsl(urlsplit(answer.url).query))


def come(double: Double, client: Client, **changes: Any) -> Any:
    """A whole launch; the answer to the signed message."""
    asked = begin(double, client)
    token = double.sign(double.claims(asked["nonce"], **changes))
    return client.post("/lti/launch/", {"state": asked["state"], "id_token": token})
