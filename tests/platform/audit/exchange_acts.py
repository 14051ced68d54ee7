"""Acts of import and export, and how the trail calls them."""

from __future__ import annotations

from decimal import Decimal

from exchange.copying.services import copy_offering
from exchange.copying.spec import Frame, shift_of, source_of, suggested
from exchange.nbgrader import services as nbgrader
from exchange.nbgrader.found import Found, Points
from exchange.rosters import services as rosters
from exchange.rosters.columns import guessed
from exchange.tables import read_grid


def _roster(world, text):
    upload = rosters.Upload((grid := read_grid(text.encode())), guessed(grid))
    signed = rosters.sign(world.offering, upload, upload.plan(world.offering).fingerprint, by=world.instructor.user)
    choices = rosters.Choices(rename=True)
    rosters.apply(offering=world.offering, signed=signed, choices=choices, by=world.instructor.user)


def _points(world):
    found = Found("", "x", "", "", world.student.user.email, "", Decimal(7), Decimal(10), Decimal(0))
    upload = nbgrader.Upload(Points((found,), (), ()), {"x": world.lab.pk})
    by = world.instructor.user
    signed = nbgrader.sign(world.offering, upload, upload.plan(world.offering).fingerprint, by=by)
    return nbgrader.take_over(offering=world.offering, signed=signed, reason="ran there", by=by)


def _copied(world):
    frame = Frame("next", "Fall", world.offering.starts_on, world.offering.ends_on, "", "", ())
    source = source_of(world.offering)
    dates = suggested(source, shift_of(source, frame))
    copy_offering(offering=world.offering, frame=frame, dates=dates, by=world.instructor.user)


ACTS = (
    ("applied a roster", lambda world, **_: _roster(world, "Email\n")),
    ("dropped", lambda world, **_: _roster(world, "Email\n")),
    ("set IDs", lambda world, **_: _roster(world, f"Email,ID\n{world.student.user.email},7\n")),
    ("renamed", lambda world, **_: _roster(world, f"Email,Name\n{world.student.user.email},Ada King\n")),
    ("imported points", lambda world, **_: _points(world)),
    (
        "withdrew imported points",
        lambda world, **_: nbgrader.withdraw(points_import=_points(world), by=world.instructor.user),
    ),
    ("copied an offering", lambda world, **_: _copied(world)),
)
