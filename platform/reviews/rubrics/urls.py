"""URLs of rubrics, the comment bank and adjustments."""

from __future__ import annotations

from django.urls import path

from reviews.rubrics import adjustment_views, bank_views, views

RUBRIC = "o/<slug:offering>/rubrics/<slug:slug>"

urlpatterns = [
    path("o/<slug:offering>/rubrics/", views.rubrics, name="rubrics"),
    path(f"{RUBRIC}/", views.rubric, name="rubric"),
    path(f"{RUBRIC}/rubric.json", views.file, name="rubric-file"),
    path(f"{RUBRIC}/edit/", views.edit, name="rubric-edit"),
    path(f"{RUBRIC}/edit/draft/", views.draft, name="rubric-draft"),
    path(f"{RUBRIC}/edit/read/", views.read, name="rubric-read"),
    path(f"{RUBRIC}/edit/preview/", views.preview, name="rubric-preview"),
    path(f"{RUBRIC}/edit/save/", views.save, name="rubric-save"),
    path(f"{RUBRIC}/changes/<int:pk>/", views.change, name="rubric-change"),
    path(f"{RUBRIC}/changes/<int:pk>/revert/", views.revert, name="rubric-revert"),
    path(f"{RUBRIC}/comments/", bank_views.comments, name="rubric-comments"),
    path(f"{RUBRIC}/comments/add/", bank_views.add, name="bank-add"),
    path(f"{RUBRIC}/comments/<int:pk>/edit/", bank_views.edit, name="bank-edit"),
    path(f"{RUBRIC}/comments/<int:pk>/remove/", bank_views.remove, name="bank-remove"),
    path(f"{RUBRIC}/comments/<int:pk>/restore/", bank_views.restore, name="bank-restore"),
    path("submissions/<int:pk>/adjustments/", adjustment_views.adjustments, name="submission-adjustments"),
    path("submissions/<int:pk>/adjustments/add/", adjustment_views.add, name="submission-adjust"),
    path("adjustments/<int:pk>/withdraw/", adjustment_views.take_back, name="adjustment-withdraw"),
    path("adjustments/<int:pk>/restore/", adjustment_views.restore, name="adjustment-restore"),
]
