"""Signing in and out."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView

from accounts.forms import SignInForm


class SignInView(LoginView):
    """The sign-in page; who is signed in already goes on to where they were going."""

    authentication_form = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True


class SignOutView(LogoutView):
    """Ends the session, by POST alone."""

    http_method_names = ["post", "options"]  # noqa: RUF012 - Django's attribute
