"""Reading who is in the platform's course, and keeping what helps to find them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from pylti1p3.names_roles import NamesRolesProvisioningService

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Enrollment
from lti.claims import email_of, name_of, role_of
from lti.http import BoundedSession, Connector
from lti.models import Context, Member, Person
from lti.protocol import registration_of
from lti.troubles import TROUBLES, trouble_of

MOST_PAGES = 200
MOST_MEMBERS = 20_000


class MembersRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """Names and roles that cannot be read; the text says what to do. What was read before stays."""


def read_members(*, context: Context, by: User) -> int:
    """Ask the platform, and keep its answer in place of the last one; returns how many people it named. Raises `MembersRefused`."""
    if not context.memberships_url:
        raise MembersRefused(
            "The platform does not offer names and roles for this course. Its administrator must switch on Names and Role Provisioning "
            "Services for Gradlab; then open Gradlab from the course once more."
        )
    try:
        told = _ask(context)  # no transaction is open while we wait for the platform
    except TROUBLES as error:
        sentence = trouble_of(context.deployment.platform, error).sentence
        raise MembersRefused(sentence.replace("We try again by ourselves.", "Try again in some minutes.")) from error
    return _store(context, told, by)


@transaction.atomic
def keep_ids(*, context: Context, by: User) -> int:
    """Store the SIS user IDs of people who have none yet; returns of how many. The platform's own id for LTI is none that its files use."""
    members = context.members.exclude(sis_id="").filter(enrollment__sis_id="", enrollment__isnull=False)
    kept = 0
    for member in members.select_related("enrollment__user"):
        enrollment = member.enrollment
        if enrollment is None or len(member.sis_id) > 60:
            continue
        enrollment.sis_id = member.sis_id
        enrollment.save(update_fields=["sis_id"])
        words = f"SIS user ID {member.sis_id}, from {context}"
        record(actor=by, action="kept an ID", subject=enrollment, offering_id=enrollment.offering_id, after=words)
        kept += 1
    return kept


def _ask(context: Context) -> list[Mapping[str, Any]]:
    connector = Connector(registration_of(context.deployment.platform), BoundedSession())
    service = NamesRolesProvisioningService(connector, {"context_memberships_url": context.memberships_url})
    told: list[Mapping[str, Any]] = []
    url: str | None = context.memberships_url
    for _ in range(MOST_PAGES):
        page, url = service.get_members_page(url)
        told += page
        if url is None:
            return [row for row in told if isinstance(row["user_id"], str)]
        if len(told) > MOST_MEMBERS:
            break
    raise ValueError("the list of members has no end")


@transaction.atomic
def _store(context: Context, told: Sequence[Mapping[str, Any]], by: User) -> int:
    Context.objects.select_for_update().get(pk=context.pk)
    rows = {row["user_id"][:255]: row for row in told if row.get("status", "Active") != "Deleted"}
    whose = _Whose(context)
    context.members.all().delete()
    Member.objects.bulk_create(_member(context, subject, row, whose) for subject, row in rows.items())
    Context.objects.filter(pk=context.pk).update(members_read_at=clock.now())
    after = f"{len(rows)} people of {context}"
    record(actor=by, action="read names and roles", subject=context, offering_id=context.offering_id, after=after)
    return len(rows)


def _member(context: Context, subject: str, row: Mapping[str, Any], whose: _Whose) -> Member:
    sis_id = row.get("lis_person_sourcedid")
    member = Member(
        context=context,
        subject=subject,
        name=name_of(row),
        email=email_of(row),
        sis_id=sis_id.strip()[:120] if isinstance(sis_id, str) else "",
        role=role_of(row.get("roles")),
        active=row.get("status", "Active") == "Active",
    )
    member.enrollment = whose(member)
    return member


class _Whose:
    """Who a member is in the class: by a link that the person made, else by the address, else by the SIS user ID; each once."""

    def __init__(self, context: Context) -> None:
        people = Enrollment.objects.filter(offering=context.offering).select_related("user")
        by_user = {row.user_id: row for row in people}
        linked = Person.objects.filter(platform=context.deployment.platform, user__in=by_user)
        self._linked = {row.subject: by_user[row.user_id] for row in linked}
        self._by_email = {row.user.email: row for row in people}
        self._by_sis_id = {row.sis_id: row for row in people if row.sis_id}
        self._taken: set[int] = {row.pk for row in self._linked.values()}

    def __call__(self, member: Member) -> Enrollment | None:
        if found := self._linked.get(member.subject):
            return found
        found = self._by_email.get(member.email) or self._by_sis_id.get(member.sis_id)
        if found is None or found.pk in self._taken:
            return None
        self._taken.add(found.pk)
        return found
