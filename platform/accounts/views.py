"""Signing in and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth.views import LoginView, LogoutView

from accounts.forms import SignInForm


class SignInView(LoginView):
    """The sign-in page; who is signed in already goes on to where they were going."""

    authentication_form = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def get_success_url(self) -> str:
        """Where someone was going; whoever was going here goes to the first page."""
        wanted = super().get_success_url()
        return self.get_default_redirect_url() if urlsplit(wanted).path == self.request.path else wanted


class SignOutView(LogoutView):
    """Ends the session, by POST alone."""

    http_method_names = ["post", "options"]  # noqa: RUF012 - Django's attribute
