"""URLs of releases."""

from __future__ import annotations

from django.urls import path

from reviews.releases import views

ASSIGNMENT = "o/<slug:offering>/assignments/<slug:assignment>/release"

urlpatterns = [
    path(f"{ASSIGNMENT}/", views.preview, name="release"),
    path(f"{ASSIGNMENT}/now/", views.release, name="release-now"),
    path(f"{ASSIGNMENT}/<int:pk>/undo/", views.undo, name="release-undo"),
    path(f"{ASSIGNMENT}/<int:pk>/retract/", views.retract, name="release-retract"),
]
