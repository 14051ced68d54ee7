"""The ASGI application: Django behind a guard that refuses oversized bodies before a byte of them is kept."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# The web alone has many threads, so it alone shares connections among them; a worker opens its one or two.
os.environ.setdefault("GRADLAB_DATABASE_POOL", "10")
django_application = get_asgi_application()

from django.template.loader import render_to_string  # noqa: E402 - needs the apps that the line above loads

from config.faults import is_passing  # noqa: E402
from config.garbage import collect_seldom  # noqa: E402
from config.middleware import is_too_large  # noqa: E402

collect_seldom()

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request. A body must announce its length (411) and stay under the cap (413)."""
    if scope["type"] == "http":
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if is_too_large(headers.get(b"content-length", "")):
            return await _answer(
                send, 413, render_to_string("413.html", {"limit_mb": settings.REQUEST_MAX_BYTES >> 20})
            )
        if b"transfer-encoding" in headers:
            return await _answer(send, 411, "Please send the request with a Content-Length.")
    try:
        return await django_application(scope, receive, send)
    except OSError as error:  # a large body goes to the temporary folder before Django has a request
        if scope["type"] != "http" or not is_passing(error):
            raise
        return await _answer(send, 503, render_to_string("503.html"))


async def _answer(send: Send, status: int, page: str) -> None:
    body = page.encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", b"default-src 'self'"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
