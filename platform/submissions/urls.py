"""URLs of submissions. The result page itself belongs to reviews, which knows the scores."""

from __future__ import annotations

from django.urls import path

from submissions import checking, views

urlpatterns = [
    path("submissions/<int:pk>/receipt/", views.receipt, name="submission-receipt"),
    path("submissions/<int:pk>/receipt.json", views.receipt_file, name="submission-receipt-file"),
    path("receipts/", checking.receipt_check, name="receipt-check"),
    path("r/<slug:code>/", checking.receipt_by_code, name="receipt-by-code"),
    path("submissions/<int:pk>/files/<int:file_pk>/", views.file, name="submission-file"),
    path("submissions/<int:pk>/files/<int:file_pk>/pdf/", views.pdf, name="submission-pdf"),
]
