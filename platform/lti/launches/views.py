"""The three steps of a launch, the page that asks who someone is, and the one that asks which offering a course is."""

from __future__ import annotations

from typing import cast

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from pylti1p3.exception import LtiException, OIDCException

from accounts.http import AuthenticatedHttpRequest, signed_in
from accounts.models import User
from courses.models import Role
from lti import keys
from lti.access import get_launched_context, remember_launch
from lti.launches import linking, services
from lti.launches.services import LaunchRefused
from lti.models import Arrival, Context
from lti.protocol import launch_of, login_of

COOKIE = "gradlab_arrival"
BACKEND = "django.contrib.auth.backends.ModelBackend"
NOT_GENUINE = (
    "The message from your course platform was not accepted. Go back to your course and open Gradlab again; it opens in a window of its "
    "own and needs cookies. If this stays so, tell your instructor."
)
log = structlog.get_logger(__name__)


@require_safe
@cache_control(public=True, max_age=300)
def key_set(_request: HttpRequest) -> HttpResponse:
    """Our public key, for platforms."""
    return JsonResponse(keys.key_set())


# Platforms begin by a POST or a GET from their own site, which cannot hold our token; it changes nothing here.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login_start(request: HttpRequest) -> HttpResponse:
    """On to the platform's sign-in. Where it sends people back to is ours alone: `target_link_uri` is not looked at."""
    start, handshake = login_of(request)
    try:
        response = redirect(start.url(settings.SITE_URL + reverse("lti-launch")))
    except (LtiException, OIDCException) as error:
        return _not_genuine(request, "lti_login_refused", error)
    handshake.put_into(response)
    return response


# The platform posts this from its own site. Instead of our token, its signature, state and nonce are checked, all bound to this browser.
@csrf_exempt
@never_cache
@require_POST
def launch(request: HttpRequest) -> HttpResponse:
    """The signed message. The next address is a GET, with which the browser sends its session again."""
    try:
        token = services.arrive(launch_of(request))
    except LtiException as error:
        return _not_genuine(request, "lti_launch_refused", error)
    except LaunchRefused as refusal:
        return _sentence(request, str(refusal))
    response = redirect("lti-arrived")
    response.set_cookie(
        COOKIE,
        token,
        max_age=services.ARRIVAL_S,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
        path="/lti/",
    )
    return response


@never_cache
@require_http_methods(["GET", "POST"])  # a HEAD would use the visit up
def arrived(request: HttpRequest) -> HttpResponse:
    """Who is it? Field `step`: `link` with the account that is signed in, or `make` one."""
    arrival = services.find_arrival(request.COOKIES.get(COOKIE, ""))
    if arrival is None:
        return _sentence(request, "This visit has ended. Open Gradlab from your course again.")
    try:
        user = services.known_user(arrival) or _decided(request, arrival)
    except LaunchRefused as refusal:
        return _who(request, arrival, refusal=str(refusal))
    return _onward(request, arrival, user) if user else _who(request, arrival)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def which_offering(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """For an instructor who came from a course that no offering is linked to. Fields `offering` (its slug) and `admits`."""
    context, offerings = get_launched_context(request, pk), linking.instructed_by(request.user)
    chosen = next((row for row in offerings if row.slug == request.POST.get("offering")), None)
    if chosen is None:
        status = 422 if request.method == "POST" else 200
        return render(request, "lti/which_offering.html", {"context": context, "offerings": offerings}, status=status)
    admits = request.POST.get("admits") == "on"
    try:
        linking.link_context(context=context, offering=chosen, admits=admits, by=request.user)
    except LaunchRefused as refusal:
        return _sentence(request, str(refusal))
    messages.success(
        request, f"{context} is linked to {chosen}. Read its names and roles next, so that scores find their students."
    )
    return redirect("lti", chosen.slug)


def _decided(request: HttpRequest, arrival: Arrival) -> User | None:
    """The user, once the person at the page has said who they are."""
    step = request.POST.get("step")
    if step == "link" and request.user.is_authenticated:
        return services.link(arrival=arrival, user=request.user).user
    return services.make_account(arrival=arrival) if step == "make" else None


def _onward(request: HttpRequest, arrival: Arrival, user: User) -> HttpResponse:
    """Sign in, and go where the launch led to."""
    if not services.finish(arrival):
        return _sentence(request, "This visit was used already. Open Gradlab from your course again.")
    if request.user != user:
        login(request, user, backend=BACKEND)
    response = _where(cast("AuthenticatedHttpRequest", request), arrival, user)
    response.delete_cookie(COOKIE, path="/lti/", samesite="Lax")
    return response


def _where(request: AuthenticatedHttpRequest, arrival: Arrival, user: User) -> HttpResponse:
    context: Context = arrival.context
    if context.offering is None:
        if arrival.role == Role.INSTRUCTOR:
            remember_launch(request, context)
            return redirect("lti-which-offering", context.pk)
        return _sentence(
            request,
            f"“{context}” is not linked to a course in Gradlab yet. Its instructor links it by opening Gradlab from there.",
        )
    if services.admit(arrival=arrival, user=user) is None:
        return _sentence(
            request, f"You are not in {context.offering}. Ask its instructor to add {user.email} to the class."
        )
    return redirect(arrival.target or reverse("dashboard", args=[context.offering.slug]))


def _who(request: HttpRequest, arrival: Arrival, *, refusal: str = "") -> HttpResponse:
    context = {"arrival": arrival, "may_be_made": services.may_be_made(arrival), "refusal": refusal}
    return render(request, "lti/who.html", context, status=422 if refusal else 200)


def _not_genuine(request: HttpRequest, event: str, error: Exception) -> HttpResponse:
    """Why stands in the log, for the operator; whoever forged it learns nothing."""
    log.warning(event, error=str(error)[:500])
    return _sentence(request, NOT_GENUINE, status=400)


def _sentence(request: HttpRequest, text: str, *, status: int = 403) -> HttpResponse:
    return render(request, "lti/sentence.html", {"text": text}, status=status)
