"""URLs of the grading scheme."""

from __future__ import annotations

from django.urls import path

from gradebook.policies import views

HERE = "o/<slug:offering>/grading"

urlpatterns = [
    path(f"{HERE}/", views.scheme, name="grading"),
    path(f"{HERE}/edit/", views.edit, name="grading-edit"),
    path(f"{HERE}/edit/draft/", views.draft, name="grading-draft"),
    path(f"{HERE}/edit/preview/", views.preview, name="grading-preview"),
    path(f"{HERE}/edit/save/", views.save, name="grading-save"),
    path(f"{HERE}/changes/<int:pk>/", views.change, name="grading-change"),
    path(f"{HERE}/changes/<int:pk>/trial/", views.try_revert, name="grading-try-revert"),
    path(f"{HERE}/changes/<int:pk>/revert/", views.revert, name="grading-revert"),
]
