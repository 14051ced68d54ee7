"""URLs of the gradebook."""

from __future__ import annotations

from django.urls import path

from gradebook import views

urlpatterns = [
    path("o/<slug:offering>/grades/", views.grades, name="grades"),
    path("o/<slug:offering>/scores/", views.scores, name="scores"),
]
