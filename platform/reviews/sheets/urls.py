"""URLs of score sheets."""

from __future__ import annotations

from django.urls import path

from reviews.sheets import views

SHEET = "o/<slug:offering>/assignments/<slug:assignment>/sheet"

urlpatterns = [
    path("o/<slug:offering>/scores/scores.csv", views.offering_file, name="scores-file"),
    path(f"{SHEET}/", views.sheet, name="score-sheet"),
    path(f"{SHEET}/scores.csv", views.sheet_file, name="score-sheet-file"),
    path(f"{SHEET}/preview/", views.preview, name="score-sheet-preview"),
    path(f"{SHEET}/apply/", views.apply, name="score-sheet-apply"),
]
