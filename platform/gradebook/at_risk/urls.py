"""URLs of students at risk."""

from __future__ import annotations

from django.urls import path

from gradebook.at_risk import views

HERE = "o/<slug:offering>/at-risk"

urlpatterns = [
    path(f"{HERE}/", views.at_risk, name="at-risk"),
    path(f"{HERE}/at-risk.csv", views.file, name="at-risk-file"),
    path(f"{HERE}/rules/", views.rules, name="at-risk-rules"),
]
