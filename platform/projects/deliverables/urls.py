"""URLs of deliverables. A deliverable's own address comes last: no deliverable has the slug of another page of the project."""

from __future__ import annotations

from django.urls import path

from projects.deliverables import keeping_views, views

PROJECT = "o/<slug:offering>/project"

urlpatterns = [
    path(f"{PROJECT}/deliverables/add/", keeping_views.add, name="deliverable-add"),
    path(f"{PROJECT}/deliverables/<slug:slug>/edit/", keeping_views.edit, name="deliverable-edit"),
    path(f"{PROJECT}/deliverables/<slug:slug>/remove/", keeping_views.remove, name="deliverable-remove"),
    path(f"{PROJECT}/deliverables/", keeping_views.deliverables, name="deliverables"),
    path("deliverables/<int:pk>/", views.submission, name="deliverable-submission"),
    path(f"{PROJECT}/<slug:slug>/submit/", views.submit, name="deliverable-submit"),
    path(f"{PROJECT}/<slug:slug>/", views.deliverable, name="deliverable"),
]
