"""What every request passes: the note of when it came, a cap on its size, one header Django does not set, a page for a wrong method."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

from config import clock


def is_too_large(content_length: str) -> bool:
    """Whether a request that announces this length is refused unread. A length that is no number is refused too."""
    return bool(content_length) and (not content_length.isdecimal() or int(content_length) > settings.REQUEST_MAX_BYTES)


class ArrivedRequest(HttpRequest):
    """A request whose arrival is noted."""

    received_at: datetime


class Arrival(MiddlewareMixin):
    """Note when a request has come, before it waits for anything of ours: a connection, a lock, its turn among many."""

    def process_request(self, request: ArrivedRequest) -> None:
        """As `request.received_at`. Its body is there by then."""
        request.received_at = clock.now()


class RequestSizeLimit(MiddlewareMixin):
    """Answer 413, with a page, before anything reads the body."""

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Let a request of a permitted size pass."""
        if not is_too_large(request.META.get("CONTENT_LENGTH") or ""):
            return None
        limit_mb = settings.REQUEST_MAX_BYTES // (1024 * 1024)
        return render(request, "413.html", {"limit_mb": limit_mb}, status=413)


class PermissionsPolicy(MiddlewareMixin):
    """Forbid pages what the product never uses."""

    def process_response(self, _request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the header."""
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        return response


class MethodNotAllowedPage(MiddlewareMixin):
    """Give a 405 the same page as every other refusal."""

    # the innermost one decides for all: they run in one thread then, instead of each hopping into it and back
    async_capable = False

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Replace the empty body, keep the status and `Allow`."""
        if response.status_code != 405:
            return response
        page = render(request, "405.html", status=405)
        page.headers["Allow"] = response.headers.get("Allow", "")
        return page
