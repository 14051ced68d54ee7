"""What every response carries, and what the ASGI guard refuses unread."""

from __future__ import annotations

import asyncio
import errno

import pytest
from django.db import OperationalError
from django.urls import reverse
from django.utils.module_loading import import_string

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["sign-in", "health"])
def test_every_response_carries_the_security_headers(client, name):
    headers = client.get(reverse(name)).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_no_page_has_inline_scripts_or_styles(world, browser):
    for name in ("dashboard", "labs", "grades", "schedule", "readings"):
        page = browser(world.student).get(reverse(name, args=[world.offering.slug])).content.decode()
        assert " style=" not in page
        assert " onclick=" not in page
        assert "<script>" not in page


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nothing/", 404), ("/o/none/", 404), ("/submissions/999999999999999999999/", 404), ("/sign-out/", 405)],
)
def test_errors_have_a_page_with_a_way_back(world, browser, path, status):
    response = browser(world.student).get(path)
    assert response.status_code == status
    assert b"<h1" in response.content
    assert b'href="/"' in response.content


def test_a_fault_of_ours_has_a_page_too(world, browser, monkeypatch):
    client = browser(world.student)
    client.raise_request_exception = False
    monkeypatch.setattr("web.views.pages.dashboard_page", lambda _: 1 / 0)
    response = client.get(reverse("dashboard", args=[world.offering.slug]))
    assert response.status_code == 500
    assert b"<h1" in response.content


@pytest.mark.parametrize(
    "fault", [OperationalError("the connection is closed"), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_fault_that_passes_asks_to_come_back(world, browser, monkeypatch, fault):
    def fails(_):
        raise fault

    client = browser(world.student)
    client.raise_request_exception = False
    monkeypatch.setattr("web.views.pages.dashboard_page", fails)
    response = client.get(reverse("dashboard", args=[world.offering.slug]))
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert b"send it again" in response.content


def ask(headers: list[tuple[bytes, bytes]], body: bytes = b"", path: str = "/healthz", method: str = "GET"):
    """One request to the ASGI application; returns status and body, and whether the body was asked for."""
    from config.asgi import application  # loads the middleware, which looks for the test's static folder

    asked, said = [], []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }

    async def receive():
        asked.append(True)
        if len(asked) > 1:
            await asyncio.sleep(10)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        said.append(message)

    asyncio.run(application(scope, receive, send))
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:]), bool(asked)


@pytest.mark.parametrize("length", [str(33 << 20), "9" * 40, "-1", "1e3", "ten"])
def test_a_body_above_the_cap_is_refused_before_it_is_read(length):
    status, page, asked = ask([(b"content-length", length.encode())], method="POST")
    assert status == 413
    assert b"32 MB" in page
    assert not asked


def test_a_body_of_unknown_length_is_refused_before_it_is_read():
    status, _, asked = ask([(b"transfer-encoding", b"chunked")], method="POST")
    assert status == 411
    assert not asked


@pytest.mark.parametrize(("number", "answers"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_body_that_finds_no_room_in_the_temporary_folder_gets_a_page(monkeypatch, number, answers):
    async def fails(*_):
        raise OSError(number, "so it is")

    monkeypatch.setattr("config.asgi.django_application", fails)
    if answers:
        status, page, _ = ask([(b"content-length", b"3")], b"abc", method="POST")
        assert (status, b"send it again" in page) == (503, True)
    else:
        with pytest.raises(OSError, match="so it is"):
            ask([(b"content-length", b"3")], b"abc", method="POST")


def test_middlewares_share_one_thread(settings):
    """The innermost one decides: where it were asynchronous, each would hop between event loop and thread with every request."""
    assert not import_string(settings.MIDDLEWARE[-1]).async_capable
