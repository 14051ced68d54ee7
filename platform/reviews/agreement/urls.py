"""URLs of second readings and of calibration."""

from __future__ import annotations

from django.urls import path

from reviews.agreement import views

OFFERING = "o/<slug:offering>"

urlpatterns = [
    path(f"{OFFERING}/agreement/", views.agreement, name="agreement"),
    path(f"{OFFERING}/agreement/<int:pk>/", views.double_reading, name="double-reading"),
    path(f"{OFFERING}/agreement/<int:pk>/settle/", views.settle, name="double-reading-settle"),
    path(f"{OFFERING}/calibration/", views.calibration, name="calibration"),
    path(f"{OFFERING}/calibration/choose/", views.calibration_choose, name="calibration-choose"),
    path(f"{OFFERING}/calibration/<int:pk>/", views.calibration_text, name="calibration-text"),
    path(f"{OFFERING}/calibration/<int:pk>/mark/", views.calibration_mark, name="calibration-mark"),
    path(f"{OFFERING}/calibration/<int:pk>/remove/", views.calibration_remove, name="calibration-remove"),
]
