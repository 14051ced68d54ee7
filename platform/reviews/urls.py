"""URLs of results and reviews."""

from __future__ import annotations

from django.urls import path

from reviews import views

urlpatterns = [
    path("submissions/<int:pk>/", views.submission, name="submission"),
    path("submissions/<int:pk>/report.json", views.report, name="submission-report"),
    path("submissions/<int:pk>/compare/<int:other>/", views.compare, name="submission-compare"),
    path("submissions/<int:pk>/override/", views.override, name="submission-override"),
    path("submissions/<int:pk>/release/", views.release, name="submission-release"),
    path("submissions/<int:pk>/regrade/", views.regrade_submission, name="submission-regrade"),
    path("o/<slug:offering>/labs/<slug:lab>/attempts/", views.attempts, name="lab-attempts"),
    path("o/<slug:offering>/labs/<slug:lab>/submissions/", views.lab_submissions, name="lab-submissions"),
]
