"""Rows of import and export: instructors change the class and send to Canvas, staff export, students have their own transcript."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.tokens import default_token_generator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.http import urlsafe_base64_encode

from accounts.passwords.models import PasswordLetter
from courses.models import Offering, Recess
from exchange.models import CanvasColumn, ImportedPoints, PointsImport
from exchange.nbgrader import services
from exchange.nbgrader.found import Found, Points
from exchange.nbgrader.services import Upload
from gradebook.models import Decision, GradePolicy
from gradebook.presets import weights
from gradebook.services import create_scheme
from tests.factories import UserFactory
from tests.platform.web.rows import EVERYONE, STAFF, Row

MODELS = (PasswordLetter, Offering, Recess, CanvasColumn, PointsImport, ImportedPoints, Decision)
INSTRUCTOR = {"instructor"}
POINTS = b"assignment,student_id,score,max_score\nps1,ada,7,10\n"
CANVAS = b"Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (11)\nPoints Possible,,,,,10\n"


def make(world, things):
    if not world.offering.components.exists():
        create_scheme(offering=world.offering, weights=weights("A"))
    GradePolicy.objects.update_or_create(offering=world.offering, defaults={"show_letters": True})
    by = world.instructor.user
    found = Found("row 2", "ps1", "x", "", world.classmate.user.email, "", Decimal(7), Decimal(10), Decimal(0))
    upload = Upload(Points((found,), (), ()), {"ps1": world.lab.pk})
    signed = services.sign(world.offering, upload, upload.plan(world.offering).fingerprint, by=by)
    made = services.take_over(offering=world.offering, signed=signed, reason="", by=by)
    return {"import": made, "student": world.student, "forgetful": UserFactory(name="For Getful")}


def offering(things):
    return [things.offering.slug]


def link(things):
    user = things.more["forgetful"]
    return [urlsafe_base64_encode(str(user.pk).encode()), default_token_generator.make_token(user)]


def file(name, data):
    return lambda _: {name: SimpleUploadedFile("file.csv", data)}


ROWS = {
    "password-ask": Row(EVERYONE),
    # Django puts the token into the session and goes on to an address without it
    "password-set": Row(EVERYONE, link, found=302),
    "exchange": Row(STAFF, offering),
    "roster": Row(INSTRUCTOR, offering),
    "roster-preview": Row(INSTRUCTOR, offering, "post", file("roster", b"Email\nada@example.edu\n")),
    # without a preview there is nothing to do
    "roster-apply": Row(INSTRUCTOR, offering, "post", found=422),
    "canvas": Row(INSTRUCTOR, offering),
    "canvas-file": Row(INSTRUCTOR, offering, data=lambda _: {"column": "final"}),
    "canvas-read": Row(INSTRUCTOR, offering, "post", file("export", CANVAS), 302),
    "canvas-assign": Row(INSTRUCTOR, offering, "post", found=302),
    "grades-file": Row(STAFF, offering),
    "points-imports": Row(INSTRUCTOR, offering),
    "points-preview": Row(INSTRUCTOR, offering, "post", file("points", POINTS)),
    "points-take": Row(INSTRUCTOR, offering, "post", found=422),
    "points-withdraw": Row(
        INSTRUCTOR, lambda things: [things.offering.slug, things.more["import"].pk], "post", found=302
    ),
    "offering-copy": Row(INSTRUCTOR, offering),
    "transcripts": Row(STAFF, offering),
    "transcript": Row(STAFF, lambda things: [things.offering.slug, things.more["student"].pk]),
    "own-transcript": Row({"student", "classmate"}, offering),
    "lab-gradescope": Row(STAFF, lambda things: [things.offering.slug, things.lab.slug]),
    "submission-gradescope": Row(STAFF, lambda things: [things.first.pk]),
}
