"""URLs of topics and of the library."""

from __future__ import annotations

from django.urls import path

from web.syllabus import views

urlpatterns = [
    path("o/<slug:offering>/topics/<slug:topic>/", views.topic, name="topic"),
    path("o/<slug:offering>/library/", views.library, name="library"),
    path("o/<slug:offering>/library/pages/<slug:page>/", views.library_page, name="library-page"),
    path("o/<slug:offering>/library/source/<path:path>", views.library_source, name="library-source"),
]
