"""URLs of regrade requests."""

from __future__ import annotations

from django.urls import path

from reviews.requests import views

HERE = "o/<slug:offering>/requests"

urlpatterns = [
    path("submissions/<int:pk>/requests/", views.of_score, name="regrade-request"),
    path("submissions/<int:pk>/requests/ask/", views.ask, name="regrade-request-ask"),
    path("requests/<int:pk>/withdraw/", views.withdraw, name="regrade-request-withdraw"),
    path(f"{HERE}/", views.queue, name="regrade-requests"),
    path(f"{HERE}/window/", views.window, name="regrade-request-window"),
    path(f"{HERE}/<int:pk>/", views.one, name="regrade-request-one"),
    path(f"{HERE}/<int:pk>/answer/", views.answer, name="regrade-request-answer"),
]
