"""URLs of the review queue."""

from __future__ import annotations

from django.urls import path

from reviews.queue import views

QUEUE = "o/<slug:offering>/queue"
SUBMISSION = f"{QUEUE}/<slug:assignment>/<int:pk>"

urlpatterns = [
    path(f"{QUEUE}/", views.queue, name="queue"),
    path(f"{QUEUE}/<slug:assignment>/", views.queue_assignment, name="queue-assignment"),
    path(f"{QUEUE}/<slug:assignment>/next/", views.queue_next, name="queue-next"),
    path(f"{QUEUE}/<slug:assignment>/undo/", views.queue_undo, name="queue-undo"),
    path(f"{QUEUE}/<slug:assignment>/names/", views.queue_names, name="queue-names"),
    path(f"{SUBMISSION}/", views.queue_submission, name="queue-submission"),
    path(f"{SUBMISSION}/save/", views.queue_save, name="queue-save"),
    path(f"{SUBMISSION}/skip/", views.queue_skip, name="queue-skip"),
    path(f"{SUBMISSION}/renew/", views.queue_renew, name="queue-renew"),
    path(f"{SUBMISSION}/files/<int:file_pk>/", views.queue_file, name="queue-file"),
]
