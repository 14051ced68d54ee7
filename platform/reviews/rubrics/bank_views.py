"""The comment bank: a page an assignment, and plain forms that any page may post to."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, signed_in
from courses.pages import render_page
from reviews import bank
from reviews.rubrics.access import get_bank_item_for, get_comment_for, get_rubric_for
from reviews.rubrics.bank_pages import bank_page
from reviews.rubrics.forms import typed_text


@signed_in
@require_safe
def comments(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """The comments of each item, the most used first."""
    enrollment, rubric = get_rubric_for(request.user, offering, slug)
    return render_page(request, "rubrics/comments.html", bank_page(rubric), enrollment=enrollment)


@signed_in
@require_POST
def add(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponse:
    """Keep a comment. Fields: `item`, `text`, and `next`, where to go afterwards. A script that accepts JSON gets JSON."""
    enrollment, item = get_bank_item_for(request.user, offering, slug, request.POST.get("item", ""))
    wants_json = request.accepts("application/json") and not request.accepts("text/html")
    try:
        comment = bank.add_comment(item=item, text=request.POST.get("text", ""), by=request.user)
    except bank.BankRefused as refusal:
        if wants_json:
            return JsonResponse({"error": str(refusal)}, status=422)
        page = bank_page(item.rubric, refusal=str(refusal), typed=typed_text(request.POST, "text"), at_item=item.pk)
        return render_page(request, "rubrics/comments.html", page, enrollment=enrollment, status=422)
    if wants_json:
        return JsonResponse({"id": comment.pk, "text": comment.text}, status=201)
    messages.success(request, f"Kept for “{item.title}”.")
    return _back(request, offering, slug)


@signed_in
@require_POST
def edit(request: AuthenticatedHttpRequest, offering: str, slug: str, pk: int) -> HttpResponse:
    """Say it in other words. Field: `text`."""
    comment = get_comment_for(request.user, offering, slug, pk)
    try:
        bank.edit_comment(comment=comment, text=request.POST.get("text", ""), by=request.user)
    except bank.BankRefused as refusal:
        enrollment, rubric = get_rubric_for(request.user, offering, slug)
        typed = typed_text(request.POST, "text")
        page = bank_page(rubric, refusal=str(refusal), typed=typed, at_comment=comment.pk)
        return render_page(request, "rubrics/comments.html", page, enrollment=enrollment, status=422)
    messages.success(request, "Saved. Marks that it was inserted into keep the words they had.")
    return _back(request, offering, slug)


@signed_in
@require_POST
def remove(request: AuthenticatedHttpRequest, offering: str, slug: str, pk: int) -> HttpResponseRedirect:
    """Offer it no more."""
    comment = get_comment_for(request.user, offering, slug, pk)
    done = bank.remove_comment(comment=comment, by=request.user)
    messages.success(request, "Removed. It can be brought back below." if done else "It was removed already.")
    return _back(request, offering, slug)


@signed_in
@require_POST
def restore(request: AuthenticatedHttpRequest, offering: str, slug: str, pk: int) -> HttpResponseRedirect:
    """Offer it again."""
    comment = get_comment_for(request.user, offering, slug, pk)
    done = bank.restore_comment(comment=comment, by=request.user)
    messages.success(request, "The comment is offered again." if done else "It is offered already.")
    return _back(request, offering, slug)


def _back(request: AuthenticatedHttpRequest, offering: str, slug: str) -> HttpResponseRedirect:
    """To the page that the form stood on, if it is one of this site."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return HttpResponseRedirect(target)
    return redirect("rubric-comments", offering, slug)
