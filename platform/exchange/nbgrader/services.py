"""Taking points over as decisions, as one act, and withdrawing it as one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.core import signing
from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Offering
from exchange.models import ImportedPoints, PointsImport
from exchange.nbgrader.found import Found, ImportRefused, Points
from exchange.nbgrader.plan import Given, Plan, plan_of, reason_of
from gradebook.decisions import services as decisions
from gradebook.models import Decision

SALT, LASTS_S = "exchange.nbgrader", 3600
CHANGED = "The class or its decisions have changed since the preview, so nothing was stored. Look at it again."
NUMBERS = ("points", "max_points", "penalty")


@dataclass(frozen=True)
class Upload:
    """A file as it was read, and which of our assignments (by id) each of nbgrader's is."""

    points: Points
    mapping: dict[str, int]
    file: str = ""

    def plan(self, offering: Offering) -> Plan:
        """What it would give whom now."""
        return plan_of(offering, self.points, self.mapping)


def sign(offering: Offering, upload: Upload, fingerprint: str, *, by: User) -> str:
    """The preview as text that nobody else can make or alter; it holds for an hour, for this person."""
    found = [{name: str(value) for name, value in asdict(row).items()} for row in upload.points.found]
    said: dict[str, Any] = {"found": found, "skipped": upload.points.skipped, "wrong": upload.points.wrong}
    said |= {"mapping": upload.mapping}
    said |= {"file": upload.file, "offering": offering.pk, "by": by.pk, "plan": fingerprint}
    return signing.dumps(said, salt=SALT, compress=True)


def signed_upload(offering: Offering, signed: str, *, by: User) -> tuple[Upload, str]:
    """The file of a preview, and the fingerprint of what it showed; raises `ImportRefused`."""
    try:
        said: dict[str, Any] = signing.loads(signed, salt=SALT, max_age=LASTS_S)
    except signing.SignatureExpired as expired:
        raise ImportRefused("The preview is older than an hour. Send the file again.") from expired
    except signing.BadSignature as bad:
        raise ImportRefused("This is not a preview of ours, so nothing was stored. Send the file again.") from bad
    if (said["offering"], said["by"]) != (offering.pk, by.pk):
        raise ImportRefused("This preview belongs to another course or person. Send the file again.")
    found = tuple(Found(**row | {name: Decimal(row[name]) for name in NUMBERS}) for row in said["found"])
    return Upload(Points(found, tuple(said["skipped"]), tuple(said["wrong"])), said["mapping"], said["file"]), said[
        "plan"
    ]


@transaction.atomic
def take_over(*, offering: Offering, signed: str, reason: str, by: User) -> PointsImport:
    """Store what the preview showed; raises `ImportRefused` when it would be something else by now."""
    upload, fingerprint = signed_upload(offering, signed, by=by)
    Offering.objects.select_for_update().get(pk=offering.pk)
    plan = upload.plan(offering)
    if plan.fingerprint != fingerprint:
        raise ImportRefused(CHANGED)
    if not plan.given:
        raise ImportRefused("The file gives nobody points that are not there already.")
    source = f"nbgrader, {upload.file}"[:300] if upload.file else "nbgrader"
    made = PointsImport.objects.create(offering=offering, source=source, reason=reason, made_by=by, made_at=clock.now())
    for given in plan.given:
        _give(made, given, reason_of(given.found, reason), by)
    after = f"{source}: {len(plan.given)} scores"
    record(actor=by, action="imported points", subject=made, offering_id=offering.pk, after=after, reason=reason)
    return made


@transaction.atomic
def withdraw(*, points_import: PointsImport, by: User) -> int:
    """Take all of an import back; decisions that it replaced stand again, unless another one stands by now.

    Returns how many scores changed; 0 where it was withdrawn before.
    """
    Offering.objects.select_for_update().get(pk=points_import.offering_id)
    now = clock.now()
    standing = PointsImport.objects.filter(pk=points_import.pk, withdrawn_at=None)
    if not standing.update(withdrawn_at=now, withdrawn_by=by):
        return 0
    items = points_import.items.select_related(
        "decision__enrollment", "replaced__enrollment__user", "replaced__assignment"
    )
    changed = 0
    for item in items:
        if not decisions.withdraw(decision=item.decision, by=by):
            continue  # somebody decided otherwise since, and that stands
        changed += 1
        if item.replaced is not None:
            _stand_again(points_import, item.replaced, by)
    before = f"{points_import.source}: {changed} scores"
    record(
        actor=by,
        action="withdrew imported points",
        subject=points_import,
        offering_id=points_import.offering_id,
        before=before,
    )
    return changed


def _give(made: PointsImport, given: Given, reason: str, by: User) -> None:
    """The decision, which records itself, and its place in the import."""
    points = (given.found.points, given.found.max_points)
    decision = decisions.decide(student=given.enrollment, part=given.assignment, points=points, reason=reason, by=by)
    ImportedPoints.objects.create(points_import=made, decision=decision, replaced=given.replaces)


def _stand_again(of: PointsImport, old: Decision, by: User) -> None:
    """A new row, since those that were withdrawn stay so."""
    part = old.assignment
    assert part is not None  # an import replaces decisions about assignments alone
    reason = f"{old.reason} (stands again, since {of.source} was withdrawn)"
    points = None if old.points is None or old.max_points is None else (old.points, old.max_points)
    decisions.decide(student=old.enrollment, part=part, points=points, reason=reason, by=by)
