"""URLs of jobs and of the grader's health."""

from __future__ import annotations

from django.urls import path

from grading import health_views, views

urlpatterns = [
    path("jobs/<int:pk>/progress/", views.job_progress, name="job-progress"),
    path("jobs/<int:pk>/events/", views.job_events, name="job-events"),
    path("jobs/<int:pk>/cancel/", views.job_cancel, name="job-cancel"),
    path("o/<slug:offering>/grader/", health_views.grader_health, name="grader-health"),
    path("o/<slug:offering>/grader/drain/", health_views.grader_drain, name="grader-drain"),
    path("o/<slug:offering>/grader/resume/", health_views.grader_resume, name="grader-resume"),
    path("o/<slug:offering>/grader/workers/<int:pk>/drain/", health_views.worker_drain, name="worker-drain"),
    path("o/<slug:offering>/grader/workers/<int:pk>/resume/", health_views.worker_resume, name="worker-resume"),
    path("metrics", health_views.metrics_page, name="metrics"),
]
