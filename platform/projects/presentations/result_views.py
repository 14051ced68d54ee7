"""After a talk: comments are read, scores looked at and released, and the team reads what was said."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from config.sentences import sentence
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.pages import render_page
from projects.presentations import releasing
from projects.presentations.access import get_comment, get_feedback_talk, get_staff_talk, get_talk_to_decide
from projects.presentations.forms import ModerationForm
from projects.presentations.locks import TalkRefused
from projects.presentations.models import Moderation
from projects.presentations.moderation import moderate
from projects.presentations.results import comments_page, feedback_page, results_page, talk_result_page
from reviews.regrades.forms import ReasonForm


@signed_in
@require_safe
def results(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """All talks that were rated, beside each other."""
    viewer = get_staff_enrollment(request.user, offering)
    return render_page(request, "presentations/results.html", results_page(viewer), enrollment=viewer)


@signed_in
@require_safe
def result(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """One talk in full."""
    viewer, talk = get_staff_talk(request.user, offering, pk)
    return render_page(request, "presentations/result.html", talk_result_page(viewer, talk), enrollment=viewer)


@signed_in
@require_safe
def feedback(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """What the team reads; staff see it before."""
    viewer, talk = get_feedback_talk(request.user, offering, pk)
    return render_page(request, "presentations/feedback.html", feedback_page(viewer, talk), enrollment=viewer)


@signed_in
@require_safe
def comments(request: AuthenticatedHttpRequest, offering: str) -> HttpResponse:
    """Comments that wait for a decision; `?show=all` all of them."""
    viewer = get_staff_enrollment(request.user, offering)
    page = comments_page(viewer, talk=None, show_all=request.GET.get("show") == "all")
    return render_page(request, "presentations/comments.html", page, enrollment=viewer)


@signed_in
@require_safe
def talk_comments(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponse:
    """The same of one talk."""
    viewer, talk = get_staff_talk(request.user, offering, pk)
    page = comments_page(viewer, talk=talk, show_all=request.GET.get("show") == "all")
    return render_page(request, "presentations/comments.html", page, enrollment=viewer)


@signed_in
@require_POST
def comment(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Decide about a comment. Fields: `decision`, `revision`, and `of` where the page is that of one talk."""
    _, rating = get_comment(request.user, offering, pk)
    form = ModerationForm(request.POST)
    try:
        if not form.is_valid():
            messages.error(request, "That is no decision about a comment. Choose again.")
        else:
            decision, revision = Moderation(form.cleaned_data["decision"]), form.cleaned_data["revision"]
            moderate(rating=rating, decision=decision, revision=revision, by=request.user)
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
    here = (
        redirect("talk-comments", offering, rating.talk_id)
        if request.POST.get("of")
        else redirect("talks-comments", offering)
    )
    return redirect(f"{here.url}?show=all") if request.POST.get("show") == "all" else here


@signed_in
@require_POST
def release(request: AuthenticatedHttpRequest, offering: str) -> HttpResponseRedirect:
    """Show scores and comments to their teams. Field: `talk`, once for each."""
    viewer = get_instructor_enrollment(request.user, offering)
    chosen = {int(pk) for pk in request.POST.getlist("talk") if pk.isdecimal() and len(pk) < 19}
    try:
        count = releasing.release(offering=viewer.offering, talks=chosen, by=request.user)
        if count:
            messages.success(
                request, f"{count} score{'s are' if count > 1 else ' is'} released. You can undo it for a while."
            )
        else:
            messages.info(request, "Please tick the talks whose scores their teams may see. Nothing was released.")
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("talks-results", offering)


@signed_in
@require_POST
def take_back(request: AuthenticatedHttpRequest, offering: str, pk: int) -> HttpResponseRedirect:
    """Hide a score again. Field: `reason`, which is not needed while the release can be undone."""
    _, talk = get_talk_to_decide(request.user, offering, pk)
    form = ReasonForm(request.POST)
    try:
        if not form.is_valid():
            messages.error(request, sentence(form))
        elif releasing.take_back(talk=talk, reason=form.cleaned_data["reason"], by=request.user):
            messages.success(request, f"{talk.team.name} sees no score any more.")
    except TalkRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("talk-result", offering, pk)
