"""URLs of accounts."""

from __future__ import annotations

from django.urls import path

from accounts import views
from accounts.passwords.views import PasswordSetView, password_ask

urlpatterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign-in"),
    path("sign-out/", views.SignOutView.as_view(), name="sign-out"),
    path("password/", password_ask, name="password-ask"),
    path("password/<uidb64>/<token>/", PasswordSetView.as_view(), name="password-set"),
]
