"""URLs of the gradebook."""

from __future__ import annotations

from django.urls import path

from gradebook import views
from gradebook.decisions import views as decisions

OWN, STUDENT = "o/<slug:offering>/grades/", "o/<slug:offering>/scores/<int:pk>/"

urlpatterns = [
    path("o/<slug:offering>/scores/", views.scores, name="scores"),
    path(OWN, views.grades, name="grades"),
    path(f"{OWN}what-if/", views.own_what_if, name="grades-what-if"),
    path(f"{OWN}part/<str:key>/", views.own_part, name="grades-part"),
    path(STUDENT, views.student_grade, name="student-grade"),
    path(f"{STUDENT}what-if/", views.student_what_if, name="student-what-if"),
    path(f"{STUDENT}part/<str:key>/", views.student_part, name="student-part"),
    path(f"{STUDENT}part/<str:key>/decide/", decisions.decide, name="decision-make"),
    path(f"{STUDENT}decisions/<int:decision>/withdraw/", decisions.withdraw, name="decision-withdraw"),
]
