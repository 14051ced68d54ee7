"""Requests as views see them, and the gate that every page behind a sign-in stands in."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from config.middleware import ArrivedRequest

P = ParamSpec("P")


class AuthenticatedHttpRequest(ArrivedRequest):
    """A request of someone who signed in."""

    user: User
    htmx: HtmxDetails
    enrollment: Any  # set by `courses.pages.render_page` for the navigation


AuthenticatedView = Callable[Concatenate[AuthenticatedHttpRequest, P], HttpResponseBase]


def signed_in(view: AuthenticatedView[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let only people who signed in reach `view`; others go to the sign-in page and come back afterwards."""

    def gate(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            target = request.get_full_path() if request.method == "GET" else "/"
            return redirect_to_login(target)
        return view(cast("AuthenticatedHttpRequest", request), *args, **kwargs)

    return update_wrapper(gate, view)
