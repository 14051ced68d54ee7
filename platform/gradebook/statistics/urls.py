"""The URL of the statistics."""

from __future__ import annotations

from django.urls import path

from gradebook.statistics import views

urlpatterns = [path("o/<slug:offering>/statistics/", views.statistics, name="statistics")]
