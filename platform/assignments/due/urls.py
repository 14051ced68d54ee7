"""URLs of extensions and accommodations."""

from __future__ import annotations

from django.urls import path

from assignments.due import views

HERE = "o/<slug:offering>/extensions"

urlpatterns = [
    path(f"{HERE}/", views.extensions, name="extensions"),
    path(f"{HERE}/grant/", views.grant_extensions, name="extension-grant"),
    path(f"{HERE}/rights/", views.extension_rights, name="extension-rights"),
    path(f"{HERE}/<int:pk>/revoke/", views.revoke_extension, name="extension-revoke"),
    path(f"{HERE}/accommodations/grant/", views.grant_accommodations, name="accommodation-grant"),
    path(f"{HERE}/accommodations/<int:pk>/revoke/", views.revoke_accommodation, name="accommodation-revoke"),
]
