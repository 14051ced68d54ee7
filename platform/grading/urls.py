"""URLs of jobs."""

from __future__ import annotations

from django.urls import path

from grading import views

urlpatterns = [
    path("jobs/<int:pk>/progress/", views.job_progress, name="job-progress"),
    path("jobs/<int:pk>/events/", views.job_events, name="job-events"),
    path("jobs/<int:pk>/cancel/", views.job_cancel, name="job-cancel"),
]
