"""URLs of similar texts."""

from __future__ import annotations

from django.urls import path

from reviews.similar import views

OFFERING = "o/<slug:offering>"

urlpatterns = [
    path(f"{OFFERING}/similar/", views.similar, name="similar"),
    path(f"{OFFERING}/similar/<int:pk>/", views.pair, name="similar-pair"),
    path(f"{OFFERING}/similar/<int:pk>/decide/", views.decide, name="similar-decide"),
    path(f"{OFFERING}/readings/<slug:reading>/similar/", views.search, name="similar-search"),
    path(f"{OFFERING}/readings/<slug:reading>/similar/search/", views.search_now, name="similar-search-now"),
    path(f"{OFFERING}/readings/<slug:reading>/similar/quotable/", views.quotable, name="similar-quotable"),
]
