"""URLs of format reports."""

from __future__ import annotations

from django.urls import path

from projects.format import views

urlpatterns = [
    path("submissions/<int:pk>/format/<int:file_pk>/", views.format_report, name="format"),
    path("submissions/<int:pk>/format/<int:file_pk>/summary/", views.format_summary, name="format-summary"),
    path("submissions/<int:pk>/format/<int:file_pk>/again/", views.format_again, name="format-again"),
    path("submissions/<int:pk>/format/<int:file_pk>/pages/<int:page>.png", views.format_picture, name="format-picture"),
]
