"""URLs of the pages that join several apps."""

from __future__ import annotations

from django.urls import path

from web.views import audit, labs, pages, summaries
from web.views.dates import dates
from web.views.limits import limits

urlpatterns = [
    path("", pages.home, name="home"),
    path("healthz", pages.health, name="health"),
    path("patterns/", pages.patterns, name="patterns"),
    path("guides/<slug:name>/", pages.guide, name="guide"),
    path("o/<slug:offering>/", pages.dashboard, name="dashboard"),
    path("o/<slug:offering>/schedule/", pages.schedule, name="schedule"),
    path("o/<slug:offering>/dates/", dates, name="dates"),
    path("o/<slug:offering>/audit/", audit.audit, name="audit"),
    path("o/<slug:offering>/audit/audit.csv", audit.audit_file, name="audit-file"),
    path("o/<slug:offering>/labs/", labs.lab_list, name="labs"),
    path("o/<slug:offering>/labs/<slug:lab>/", labs.lab_detail, name="lab"),
    path("o/<slug:offering>/labs/<slug:lab>/draft/", labs.save_draft, name="lab-draft"),
    path("o/<slug:offering>/labs/<slug:lab>/run/", labs.run, name="lab-run"),
    path("o/<slug:offering>/labs/<slug:lab>/submit/", labs.submit, name="lab-submit"),
    path("o/<slug:offering>/labs/<slug:lab>/limits/", limits, name="lab-limits"),
    path("o/<slug:offering>/labs/<slug:lab>/starter.zip", labs.starter, name="lab-starter"),
    path("o/<slug:offering>/readings/<slug:reading>/", summaries.reading, name="reading"),
    path("o/<slug:offering>/readings/<slug:reading>/draft/", summaries.draft, name="reading-draft"),
    path("o/<slug:offering>/readings/<slug:reading>/submit/", summaries.submit, name="reading-submit"),
    path("o/<slug:offering>/readings/<slug:reading>/preview/", summaries.preview, name="reading-preview"),
    path("o/<slug:offering>/readings/<slug:reading>/versions/", summaries.versions, name="reading-versions"),
    path(
        "o/<slug:offering>/readings/<slug:reading>/versions/<int:pk>/restore/",
        summaries.restore,
        name="reading-restore",
    ),
    path("summaries/<int:pk>/", summaries.summary, name="summary"),
    path("summaries/<int:pk>/compare/<int:other>/", summaries.summary_compare, name="summary-compare"),
]
