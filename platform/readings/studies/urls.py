"""URLs of published tables."""

from __future__ import annotations

from django.urls import path

from readings.studies import views

urlpatterns = [
    path("o/<slug:offering>/papers/", views.studies, name="studies"),
    path("o/<slug:offering>/papers/<slug:study>/", views.study, name="study"),
]
