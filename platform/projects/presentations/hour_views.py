"""While a talk goes on: opening and closing its ratings, the turnout, the timer, and the form on the phone."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.access import get_enrollment
from courses.models import Enrollment
from courses.pages import render_page
from projects.presentations import opening
from projects.presentations.access import get_staff_talk, get_talk
from projects.presentations.forms import RatingForm, SpeakerForm, StaffRatingForm
from projects.presentations.hour import answer_of, rate_page, talk_page, timer_page, turnout
from projects.presentations.locks import TalkRefused
from projects.presentations.models import Rating, StaffRating, Talk
from projects.presentations.rating import RatingChanged, save_rating, save_staff_rating


@signed_in
@require_safe
def talk(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """A talk, for the staff who run the hour."""
    viewer, found = get_staff_talk(request.user, offering, pk)
    return render_page(request, "presentations/talk.html", talk_page(viewer, found), enrollment=viewer)


@signed_in
@require_safe
def talk_turnout(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """Who has rated, as a part of a page. `?only=count` leaves the names out, for the screen in the room."""
    viewer, found = get_staff_talk(request.user, offering, pk)
    template = (
        "presentations/turnout_count.html" if request.GET.get("only") == "count" else "presentations/turnout.html"
    )
    return render_page(request, template, turnout(found), enrollment=viewer)


@signed_in
@require_POST
def talk_open(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take ratings. Field: `close_other`, ticked or not there."""
    _, found = get_staff_talk(request.user, offering, pk)
    try:
        if opening.open_ratings(talk=found, by=request.user, close_other=request.POST.get("close_other") == "yes"):
            messages.success(request, f"{found.team.name}: ratings are open. The class finds the form on every page.")
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("talk", offering, pk)


@signed_in
@require_POST
def talk_close(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Take no more ratings of classmates."""
    _, found = get_staff_talk(request.user, offering, pk)
    if opening.close_ratings(talk=found, by=request.user):
        messages.success(request, f"{found.team.name}: ratings are closed. You can open them again until the release.")
    return redirect("talk", offering, pk)


@signed_in
@require_POST
def talk_speakers(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Change whose talk it was. Fields: `enrollment`, and `act`, add or remove."""
    _, found = get_staff_talk(request.user, offering, pk)
    form = SpeakerForm(request.POST, talk=found)
    try:
        if not form.is_valid():
            messages.error(request, sentence(form))
        else:
            act = opening.add_speaker if form.cleaned_data["act"] == "add" else opening.remove_speaker
            act(talk=found, enrollment=form.cleaned_data["enrollment"], by=request.user)
            messages.success(request, "The speakers are changed; the score is theirs.")
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("talk", offering, pk)


@signed_in
@require_safe
def talk_now(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """The form for the talk that is open now, at an address that fits on a slide; without one, all talks."""
    viewer = get_enrollment(request.user, offering)
    found = Talk.objects.of(viewer.offering).open().first()
    return redirect("talk-rate", offering, found.pk) if found else redirect("talks", offering)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def talk_rate(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The form on the phone. What cannot be saved comes back as it was typed, with the reason.

    A script that asks for JSON gets `revision`, and `detail` where nothing was saved: little to send over a bad network.
    """
    viewer, found = get_talk(request.user, offering, pk)
    page = rate_page(viewer, found, request.POST if request.method == "POST" else None)
    saved = request.method == "POST" and _save(viewer, found, page.form)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(answer_of(page), status=422 if page.form.errors else 200)
    if saved:
        messages.success(request, "Saved. You can change it until the ratings are closed.")
        return redirect("talk-rate", offering, pk)
    return render_page(
        request, "presentations/rate.html", page, enrollment=viewer, status=422 if page.form.errors else 200
    )


@signed_in
@require_safe
def talk_timer(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The clock for the room, and for rehearsing."""
    viewer, found = get_talk(request.user, offering, pk)
    return render_page(request, "presentations/timer.html", timer_page(viewer, found), enrollment=viewer)


def _save(viewer: Enrollment, talk: Talk, form: RatingForm | StaffRatingForm) -> bool:
    """Whether it is saved; where not, the form says why, and carries the revision that it would replace."""
    if not form.is_valid():
        return False
    try:
        form.revised(_saved(viewer, talk, form).revision)
    except TalkRefused as refusal:
        form.add_error(None, str(refusal))
    except RatingChanged as changed:
        form.add_error(None, str(changed))
        form.revised(changed.revision)
    return form.is_valid()


def _saved(viewer: Enrollment, talk: Talk, form: RatingForm | StaffRatingForm) -> Rating | StaffRating:
    given = form.cleaned_data
    comment, revision = given["comment"], given["revision"]
    if isinstance(form, StaffRatingForm):
        return save_staff_rating(talk=talk, rater=viewer, marks=form.marks, comment=comment, revision=revision)
    return save_rating(talk=talk, rater=viewer, score=given["score"], comment=comment, revision=revision)
