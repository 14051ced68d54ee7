"""URLs of regrades."""

from __future__ import annotations

from django.urls import path

from reviews.regrades import views

LAB = "o/<slug:offering>/labs/<slug:lab>"

urlpatterns = [
    path(f"{LAB}/regrades/", views.regrades, name="lab-regrades"),
    path(f"{LAB}/regrades/start/", views.start, name="lab-regrade-start"),
    path(f"{LAB}/regrades/<int:number>/", views.regrade, name="lab-regrade"),
    path(f"{LAB}/regrades/<int:number>/scores.csv", views.regrade_scores, name="lab-regrade-scores"),
    path(f"{LAB}/regrades/<int:number>/discard/", views.discard, name="lab-regrade-discard"),
    path(f"{LAB}/regrades/<int:number>/apply/", views.apply, name="lab-regrade-apply"),
    path(f"{LAB}/regrades/<int:number>/revert/", views.revert, name="lab-regrade-revert"),
    path(f"{LAB}/score-change/seen/", views.score_change_seen, name="score-change-seen"),
]
