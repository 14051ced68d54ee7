"""URLs of courses."""

from __future__ import annotations

from django.urls import path

from courses import views

urlpatterns = [path("o/<slug:offering>/people/", views.people, name="people")]
