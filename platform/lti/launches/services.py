"""A verified launch becomes an arrival; an arrival becomes a person who is signed in.

Who someone is: the user to whom this subject of this platform was linked. A link is made by a person who is signed in and arrived as that
subject, and confirms that they are both; an address in a launch never opens an account. Someone whose address nobody uses gets an account
without a password, as a student, where the course is linked and its instructors admit newcomers. No launch changes a role.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.http import url_has_allowed_host_and_scheme
from pylti1p3.exception import LtiException

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Enrollment, Role
from courses.services import enroll
from lti.claims import Claims, claims_of
from lti.models import Arrival, Context, Deployment, Person, Platform, UsedNonce
from lti.protocol import Launch, find_platform

ARRIVAL_S = 1800
NONCES_KEPT = timedelta(days=1)  # a handshake, whose nonce it is, lives for minutes


class LaunchRefused(Exception):  # noqa: N818 - an answer to whoever came, not a fault
    """A launch, or a person, that is not let in so; the text says what to do."""


def arrive(launch: Launch) -> str:
    """Check the message, keep what it says, and return the token of its arrival.

    Raises `LtiException` for a message that is not genuine, or was used, and `LaunchRefused` for one that we can do nothing with.
    """
    try:
        launch.validate()  # asks the platform for its keys, so no transaction is open
    except (AttributeError, TypeError, KeyError, ValueError) as error:  # the library reads claims of any type
        raise LtiException("The message is malformed.") from error
    body = launch._jwt["body"]  # noqa: SLF001 - the library's readers would validate again
    return _store(find_platform(body["iss"], launch.get_client_id()), str(body["nonce"]), claims_of(body))


@transaction.atomic
def _store(platform: Platform, nonce: str, claims: Claims) -> str:
    _use(platform, nonce)
    if not claims.context_id:
        raise LaunchRefused("The message names no course. Open Gradlab from within a course.")
    token = secrets.token_urlsafe(32)
    Arrival.objects.filter(arrived_at__lt=clock.now() - timedelta(seconds=ARRIVAL_S)).delete()
    Arrival.objects.create(
        token_sha256=_sha256(token),
        context=_context(platform, claims),
        subject=claims.subject,
        name=claims.name,
        email=claims.email,
        role=claims.role,
        target=own_path(claims.target),
        arrived_at=clock.now(),
    )
    return token


def find_arrival(token: str) -> Arrival | None:
    """The arrival of this browser, if it is not used and not too old."""
    fresh = Arrival.objects.filter(arrived_at__gte=clock.now() - timedelta(seconds=ARRIVAL_S))
    related = fresh.select_related("context__deployment__platform", "context__offering__course")
    return related.filter(token_sha256=_sha256(token)).first() if token else None


def known_user(arrival: Arrival) -> User | None:
    """The active user to whom the subject is linked."""
    platform = arrival.context.deployment.platform
    found = Person.objects.filter(platform=platform, subject=arrival.subject).select_related("user").first()
    return found.user if found and found.user.is_active else None


def may_be_made(arrival: Arrival) -> bool:
    """Whether an account may be made: a student of a linked course that admits newcomers, with a name and an address that is nobody's."""
    admits = arrival.context.offering_id is not None and arrival.context.admits and arrival.role == Role.STUDENT
    subject = Person.objects.filter(platform=arrival.context.deployment.platform, subject=arrival.subject)
    named = bool(arrival.name and arrival.email)
    return admits and named and not subject.exists() and not User.objects.filter(email=arrival.email).exists()


@transaction.atomic
def link(*, arrival: Arrival, user: User) -> Person:
    """Link the subject to the user who is signed in and confirmed it. Raises `LaunchRefused` where either is linked to another."""
    platform = arrival.context.deployment.platform
    try:
        with transaction.atomic():
            person = Person.objects.create(platform=platform, subject=arrival.subject, user=user, linked_at=clock.now())
    except IntegrityError as error:
        raise LaunchRefused(
            f"Your account in Gradlab, or the one at {platform}, is linked to another person already. "
            "Sign in with your own account; your instructor can help if that is this one."
        ) from error
    words = f"{arrival.name} <{arrival.email}>, {arrival.subject}, at {platform}"
    offering = arrival.context.offering_id
    record(actor=user, action="linked an account", subject=person, offering_id=offering, after=words)
    return person


@transaction.atomic
def make_account(*, arrival: Arrival) -> User:
    """An account without a password for whom the platform vouches. Raises `LaunchRefused` where it may not be made."""
    if not may_be_made(arrival):
        raise LaunchRefused(
            "Someone uses this address already, or the course adds nobody by itself. Sign in once instead."
        )
    try:
        with transaction.atomic():
            user = User.objects.create_user(arrival.email, arrival.name)
    except IntegrityError as error:
        raise LaunchRefused("Someone began to use this address at this moment. Sign in once instead.") from error
    link(arrival=arrival, user=user)
    return user


@transaction.atomic
def admit(*, arrival: Arrival, user: User) -> Enrollment | None:
    """The person's place in the linked offering: as it is, or a new one as a student where newcomers are admitted. Someone who dropped
    stays dropped."""
    context = arrival.context
    stored = Enrollment.objects.filter(offering=context.offering, user=user).first()
    if stored is not None or context.offering is None:
        return stored if stored and stored.dropped_at is None else None
    if not (context.admits and arrival.role == Role.STUDENT):
        return None
    return enroll(offering=context.offering, user=user, role=Role.STUDENT)


@transaction.atomic
def finish(arrival: Arrival) -> bool:
    """Use the arrival up; False where another request did so first."""
    return bool(Arrival.objects.filter(pk=arrival.pk).delete()[0])


def own_path(target: str) -> str:
    """The path of an address on this site; empty for any other, and for our own way in."""
    if not url_has_allowed_host_and_scheme(target, {urlsplit(settings.SITE_URL).netloc}):
        return ""
    parts = urlsplit(target)
    path = urlunsplit(("", "", parts.path, parts.query, ""))
    own = path.startswith("/") and url_has_allowed_host_and_scheme(path, None)
    return path if own and not path.startswith("/lti/") else ""


def _use(platform: Platform, nonce: str) -> None:
    UsedNonce.objects.filter(used_at__lt=clock.now() - NONCES_KEPT).delete()
    try:
        with transaction.atomic():
            UsedNonce.objects.create(platform=platform, nonce=nonce, used_at=clock.now())
    except IntegrityError as error:
        raise LtiException("This message was used before.") from error


def _context(platform: Platform, claims: Claims) -> Context:
    """The course, with the addresses of its services as this message has them."""
    deployment = Deployment.objects.get(platform=platform, deployment_id=claims.deployment_id)
    context, _ = Context.objects.get_or_create(
        deployment=deployment, context_id=claims.context_id, defaults={"title": claims.context_title}
    )
    context.title = claims.context_title or context.title
    context.memberships_url = claims.memberships_url or context.memberships_url
    if claims.line_items_url:
        context.line_items_url, context.scopes = claims.line_items_url, list(claims.scopes)
    context.save(update_fields=["title", "memberships_url", "line_items_url", "scopes"])
    return context


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
