"""The sign-in form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from accounts import throttle


class SignInForm(AuthenticationForm):
    """E-mail address and password; after too many failures it waits instead of checking."""

    error_messages = {  # noqa: RUF012 - Django's attribute, as it declares it
        "invalid_login": "This address and password do not belong together. Check both; capital letters count in the password.",
        "inactive": "This account is closed. Ask your instructor to open it again.",
    }
    username = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.data.get("username"):  # a second try: the address stands there already
            self.fields["username"].widget.attrs.pop("autofocus", None)
            self.fields["password"].widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any]:
        """Check the password, unless this address failed too often from here. Without a password there is nothing to check or count."""
        email = str(self.cleaned_data.get("username", ""))
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        if not (email and self.cleaned_data.get("password")):
            return super().clean()
        if not throttle.may_try(email, address, settings.SIGN_IN_FAILURES):
            raise ValidationError(throttle.sentence(), code="throttled")
        cleaned = super().clean()
        throttle.forget(email, address)
        return cleaned
