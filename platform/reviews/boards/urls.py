"""URLs of boards."""

from __future__ import annotations

from django.urls import path

from reviews.boards import views

LAB = "o/<slug:offering>/labs/<slug:lab>"

urlpatterns = [
    path(f"{LAB}/boards/", views.boards, name="boards"),
    path(f"{LAB}/boards/join/", views.join, name="board-join"),
    path(f"{LAB}/boards/leave/", views.leave, name="board-leave"),
    path(f"{LAB}/boards/<int:pk>/hide/", views.hide, name="board-hide"),
    path(f"{LAB}/boards/<int:pk>/show/", views.show, name="board-show"),
]
