"""All URLs. Names are flat; each app lists its own."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("courses.urls")),
    path("", include("assignments.due.urls")),
    path("", include("submissions.urls")),
    path("", include("grading.urls")),
    path("", include("reviews.urls")),
    path("", include("reviews.regrades.urls")),
    path("", include("reviews.requests.urls")),
    path("", include("reviews.rubrics.urls")),
    path("", include("reviews.queue.urls")),
    path("", include("reviews.agreement.urls")),
    path("", include("reviews.similar.urls")),
    path("", include("reviews.boards.urls")),
    path("", include("reviews.releases.urls")),
    path("", include("reviews.sheets.urls")),
    path("", include("readings.keeping.urls")),
    path("", include("readings.urls")),
    path("", include("readings.studies.urls")),
    path("", include("projects.teams.urls")),
    path("", include("projects.format.urls")),
    path("", include("projects.presentations.urls")),
    path("", include("attendance.urls")),
    path("", include("gradebook.policies.urls")),
    path("", include("gradebook.freezing.urls")),
    path("", include("gradebook.statistics.urls")),
    path("", include("gradebook.at_risk.urls")),
    path("", include("projects.deliverables.urls")),
    path("", include("gradebook.urls")),
    path("", include("exchange.urls")),
    path("", include("lti.urls")),
    path("", include("web.syllabus.urls")),
    path("", include("web.urls")),
]

handler400 = "web.views.errors.bad_request"
handler403 = "web.views.errors.permission_denied"
handler404 = "web.views.errors.not_found"
handler500 = "web.views.errors.server_error"
