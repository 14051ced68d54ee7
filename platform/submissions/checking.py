"""The public pages on which anybody checks a receipt. They state what the receipt states, and nothing else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from submissions import throttle
from submissions.forms import ReceiptForm
from submissions.issuing import Finding, check_code, check_text

PAGE = "submissions/receipt_check.html"


@never_cache
@sensitive_post_parameters("text")
@require_http_methods(["GET", "HEAD", "POST"])
def receipt_check(request: HttpRequest) -> HttpResponse:
    """Paste a receipt or choose its file."""
    if request.method != "POST":
        return render(request, PAGE, {"form": ReceiptForm()})
    if not throttle.may_check(request.META.get("REMOTE_ADDR", "")):
        return _too_many(request)
    form = ReceiptForm(request.POST, request.FILES)
    if not form.is_valid():
        return render(request, PAGE, {"form": form}, status=422)
    return _page(request, check_text(form.cleaned_data["text"]))


@never_cache
@require_safe
def receipt_by_code(request: HttpRequest, code: str) -> HttpResponse:
    """The receipt that a short address names; 404 with the form where the database has none."""
    if not throttle.may_check(request.META.get("REMOTE_ADDR", "")):
        return _too_many(request)
    finding = check_code(code)
    if finding is None:
        return render(request, PAGE, {"form": ReceiptForm(), "unknown": True}, status=404)
    return _page(request, finding)


def _page(request: HttpRequest, finding: Finding) -> HttpResponse:
    return render(request, PAGE, {"form": ReceiptForm(), "finding": finding})


def _too_many(request: HttpRequest) -> HttpResponse:
    return render(request, PAGE, {"form": ReceiptForm(), "refusal": throttle.sentence()}, status=429)
