"""URLs of freezing and of snapshots."""

from __future__ import annotations

from django.urls import path

from gradebook.freezing import views

HERE = "o/<slug:offering>/freezing"

urlpatterns = [
    path(f"{HERE}/", views.freezing, name="freezing"),
    path(f"{HERE}/freeze/", views.freeze, name="freeze"),
    path(f"{HERE}/keep/", views.keep, name="snapshot-keep"),
    path(f"{HERE}/<int:pk>/", views.snapshot, name="snapshot"),
    path(f"{HERE}/<int:pk>/grades.json", views.file, name="snapshot-file"),
    path(f"{HERE}/<int:pk>/lift/", views.lift, name="snapshot-lift"),
]
