"""URLs of readings."""

from __future__ import annotations

from django.urls import path

from readings import views

urlpatterns = [path("o/<slug:offering>/readings/", views.readings, name="readings")]
