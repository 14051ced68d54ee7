"""Asking for a link, and the page that it leads to. Neither tells whether an address is known."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods

from accounts import throttle
from accounts.passwords.forms import AskForm
from accounts.passwords.services import ask


@require_http_methods(["GET", "HEAD", "POST"])
def password_ask(request: HttpRequest) -> HttpResponse:
    """The form; and the same answer for everyone who sends it. After too many from one place, where a class may sit, it waits."""
    form = AskForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/password_ask.html", {"form": form}, status=422 if form.is_bound else 200)
    if not throttle.may_try("password-ask", request.META.get("REMOTE_ADDR", ""), settings.PASSWORD_ASKS):
        form.add_error(None, "Many links were asked for from this network. Try again in a few minutes.")
        return render(request, "accounts/password_ask.html", {"form": form}, status=422)
    ask(email=form.cleaned_data["email"])
    messages.success(
        request,
        "If this address has an account here, a link is on its way to it. Look into your mail in a few minutes.",
    )
    return redirect("sign-in")


class PasswordSetView(PasswordResetConfirmView):
    """Sets the password of whom the link was mailed to. Django keeps the token out of the address that pages see."""

    template_name = "accounts/password_set.html"
    success_url = reverse_lazy("sign-in")

    def form_valid(self, form):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - Django's signature
        """Say what happened, on the page for signing in."""
        messages.success(self.request, "Your password is set. Sign in with it.")
        return super().form_valid(form)
