"""URLs by which the reading list is kept. No reading has the slug `list`."""

from __future__ import annotations

from django.urls import path

from readings.keeping import list_views, views

LIST = "o/<slug:offering>/readings/list"

urlpatterns = [
    path(f"{LIST}/add/", views.add, name="reading-list-add"),
    path(f"{LIST}/import/", list_views.import_, name="reading-list-import"),
    path(f"{LIST}/readings.bib", list_views.export, name="reading-list-export"),
    path(f"{LIST}/order/", list_views.order, name="reading-list-order"),
    path(f"{LIST}/dates/", list_views.dates, name="reading-list-dates"),
    path(f"{LIST}/copy/", list_views.copy, name="reading-list-copy"),
    path(f"{LIST}/<slug:slug>/edit/", views.edit, name="reading-list-edit"),
    path(f"{LIST}/<slug:slug>/visibility/", views.visibility, name="reading-list-visibility"),
    path(f"{LIST}/<slug:slug>/remove/", views.remove, name="reading-list-remove"),
    path(f"{LIST}/<slug:slug>/restore/", views.restore, name="reading-list-restore"),
]
