"""URLs of import and export."""

from __future__ import annotations

from django.urls import path

from exchange import views
from exchange.canvas import views as canvas
from exchange.copying import views as copying
from exchange.gradescope import views as gradescope
from exchange.nbgrader import views as nbgrader
from exchange.rosters import views as rosters
from exchange.transcripts import views as transcripts

HERE = "o/<slug:offering>/exchange"

urlpatterns = [
    path(f"{HERE}/", views.exchange, name="exchange"),
    path(f"{HERE}/roster/", rosters.roster, name="roster"),
    path(f"{HERE}/roster/preview/", rosters.preview, name="roster-preview"),
    path(f"{HERE}/roster/apply/", rosters.apply, name="roster-apply"),
    path(f"{HERE}/canvas/", canvas.canvas, name="canvas"),
    path(f"{HERE}/canvas/canvas.csv", canvas.canvas_file, name="canvas-file"),
    path(f"{HERE}/canvas/read/", canvas.read_columns, name="canvas-read"),
    path(f"{HERE}/canvas/assign/", canvas.assign_columns, name="canvas-assign"),
    path(f"{HERE}/grades.csv", canvas.grades_file, name="grades-file"),
    path(f"{HERE}/points/", nbgrader.imports, name="points-imports"),
    path(f"{HERE}/points/preview/", nbgrader.preview, name="points-preview"),
    path(f"{HERE}/points/take/", nbgrader.take_over, name="points-take"),
    path(f"{HERE}/points/<int:pk>/withdraw/", nbgrader.withdraw, name="points-withdraw"),
    path(f"{HERE}/copy/", copying.copy, name="offering-copy"),
    path(f"{HERE}/transcripts/", transcripts.transcripts, name="transcripts"),
    path(f"{HERE}/transcripts/<int:pk>/", transcripts.transcript, name="transcript"),
    path("o/<slug:offering>/transcript/", transcripts.own_transcript, name="own-transcript"),
    path("o/<slug:offering>/labs/<slug:lab>/gradescope.zip", gradescope.lab_results, name="lab-gradescope"),
    path("submissions/<int:pk>/results.json", gradescope.results, name="submission-gradescope"),
]
