"""Applying a roster that was previewed: exactly that, as one act, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.passwords.services import invite
from audit.services import record
from config import clock
from courses.models import Enrollment, Offering, Role
from courses.services import enroll
from exchange.rosters.columns import Field
from exchange.rosters.lines import Listed, read_lines
from exchange.rosters.plan import FIELDS, Add, Change, Drop, Plan, plan_of
from exchange.tables import Grid, Line

SALT, LASTS_S = "exchange.rosters", 3600
CHANGED = "The class has changed since the preview, so nothing was done. Look at what the file would change now."


class RosterRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """A roster that cannot be applied; the text says why. Nothing was changed."""


@dataclass(frozen=True)
class Upload:
    """A file as it was read, with what its columns hold, and where logins without @ get their mail."""

    grid: Grid
    columns: dict[Field, int]
    domain: str = ""
    file: str = ""

    def plan(self, offering: Offering) -> Plan:
        """What it would change now."""
        return plan_of(offering, read_lines(self.grid, self.columns, domain=self.domain))


@dataclass(frozen=True)
class Choices:
    """What the instructor ticked in the preview."""

    drop: bool = True
    rename: bool = False
    mail: bool = False


@dataclass(frozen=True)
class Applied:
    """What came of it."""

    added: int
    changed: int
    dropped: int
    mailed: int


def sign(offering: Offering, upload: Upload, fingerprint: str, *, by: User) -> str:
    """The preview as text that nobody else can make or alter; it holds for an hour, for this person."""
    grid = [upload.grid.columns, [(line.number, line.cells) for line in upload.grid.lines], upload.grid.note]
    said: dict[str, Any] = {"grid": grid, "columns": upload.columns, "domain": upload.domain, "file": upload.file}
    said |= {"offering": offering.pk, "by": by.pk, "plan": fingerprint}
    return signing.dumps(said, salt=SALT, compress=True)


def signed_upload(offering: Offering, signed: str, *, by: User) -> tuple[Upload, str]:
    """The file of a preview, and the fingerprint of what it showed; raises `RosterRefused`."""
    try:
        said: dict[str, Any] = signing.loads(signed, salt=SALT, max_age=LASTS_S)
    except signing.SignatureExpired as expired:
        raise RosterRefused("The preview is older than an hour. Send the file again.") from expired
    except signing.BadSignature as bad:
        raise RosterRefused("This is not a preview of ours, so nothing was done. Send the file again.") from bad
    if (said["offering"], said["by"]) != (offering.pk, by.pk):
        raise RosterRefused("This preview belongs to another course or person. Send the file again.")
    columns, lines, note = said["grid"]
    grid = Grid(tuple(columns), tuple(Line(number, tuple(cells)) for number, cells in lines), note)
    places = {Field(field): place for field, place in said["columns"].items()}
    return Upload(grid, places, said["domain"], said["file"]), said["plan"]


@transaction.atomic
def apply(*, offering: Offering, signed: str, choices: Choices, by: User) -> Applied:
    """Do what the preview showed, as far as it is ticked; raises `RosterRefused` when the class is another one by now."""
    upload, fingerprint = signed_upload(offering, signed, by=by)
    Offering.objects.select_for_update().get(pk=offering.pk)
    plan = upload.plan(offering)
    if plan.fingerprint != fingerprint:
        raise RosterRefused(CHANGED)
    changes = [change for change in plan.changes if change.returns or change.differences or choices.rename]
    drops = plan.drops if choices.drop else ()
    try:
        people = [_add(offering, add, by) for add in plan.adds]
    except IntegrityError as raced:  # somebody made the same account in this moment
        raise RosterRefused(CHANGED) from raced
    for change in changes:
        _change(offering, change, by, rename=choices.rename)
    for drop in drops:
        _drop(offering, drop, by)
    mailed = invite(users=[person.user for person in people], by=by) if choices.mail else 0
    done = Applied(len(people), len(changes), len(drops), mailed)
    after = f"{upload.file or 'a file'}: {done.added} added, {done.changed} changed, {done.dropped} dropped"
    record(actor=by, action="applied a roster", subject=offering, offering_id=offering.pk, after=after)
    return done


def _add(offering: Offering, add: Add, by: User) -> Enrollment:
    listed = add.listed
    user = User.objects.filter(email=listed.email).first()
    if user is None:
        user = User.objects.create_user(listed.email, listed.name, sort_name=listed.sort_name)
    enrollment = enroll(offering=offering, user=user, role=add.role, by=by)
    ids = {field: value for field, _, name in FIELDS if (value := getattr(listed, name))}
    Enrollment.objects.filter(pk=enrollment.pk).update(**ids)
    if ids:
        after = _words(ids)
        record(actor=by, action="set IDs", subject=enrollment, offering_id=offering.pk, after=after)
    return enrollment


def _change(offering: Offering, change: Change, by: User, *, rename: bool) -> None:
    enrollment = Enrollment.objects.select_related("user").get(pk=change.enrollment_id, offering=offering)
    new = {row.field: row.after for row in change.differences}
    role = change.listed.role if "role" in new and change.listed.role is not None else Role(enrollment.role)
    if change.returns or role != enrollment.role:
        enroll(offering=offering, user=enrollment.user, role=role, by=by)
    ids = {field: value for field, value in new.items() if field != "role"}
    if ids:
        before = _words({field: getattr(enrollment, field) for field in ids})
        Enrollment.objects.filter(pk=enrollment.pk).update(**ids)
        record(
            actor=by, action="set IDs", subject=enrollment, offering_id=offering.pk, before=before, after=_words(ids)
        )
    if rename and change.renamed:
        _rename(enrollment, change.listed, by)


def _rename(enrollment: Enrollment, listed: Listed, by: User) -> None:
    before = enrollment.user.name
    User.objects.filter(pk=enrollment.user_id).update(name=listed.name, sort_name=listed.sort_name)
    record(
        actor=by,
        action="renamed",
        subject=enrollment,
        offering_id=enrollment.offering_id,
        before=before,
        after=listed.name,
    )


def _drop(offering: Offering, drop: Drop, by: User) -> None:
    Enrollment.objects.filter(pk=drop.enrollment_id, role=Role.STUDENT).update(dropped_at=clock.now())
    enrollment = Enrollment.objects.get(pk=drop.enrollment_id)
    record(
        actor=by,
        action="dropped",
        subject=enrollment,
        offering_id=offering.pk,
        before="Student",
        after="Student, dropped",
    )


def _words(ids: dict[str, str]) -> str:
    labels = {field: label for field, label, _ in FIELDS}
    return "; ".join(f"{labels[field]}: {value or '–'}" for field, value in ids.items())
