"""What a verified message says, as our words. Texts are cut to what we store; what is not there is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from courses.models import Role
from lti.protocol import CLAIM

NAMES = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
ORDER = (Role.TA, Role.INSTRUCTOR, Role.STUDENT)


@dataclass(frozen=True)
class Claims:
    """A launch. `role` is empty for someone who is none of ours, such as an observer."""

    deployment_id: str
    context_id: str
    context_title: str
    subject: str
    name: str
    email: str
    role: str
    target: str
    memberships_url: str
    line_items_url: str
    scopes: tuple[str, ...]


def claims_of(body: Mapping[str, Any]) -> Claims:
    """The claims of a message whose signature was checked."""
    context, names, grades = (_mapping(body.get(key)) for key in (CLAIM + "context", NAMES, GRADES))
    return Claims(
        deployment_id=_text(body.get(CLAIM + "deployment_id"), 255),
        context_id=_text(context.get("id"), 255),
        context_title=_text(context.get("title") or context.get("label"), 300),
        subject=_text(body.get("sub"), 255),
        name=name_of(body),
        email=email_of(body),
        role=role_of(body.get(CLAIM + "roles")),
        target=_text(body.get(CLAIM + "target_link_uri"), 500),
        memberships_url=service_url(names.get("context_memberships_url")),
        line_items_url=service_url(grades.get("lineitems")),
        scopes=tuple(_texts(grades.get("scope"))),
    )


def name_of(data: Mapping[str, Any]) -> str:
    """A person's name, from one claim or from two."""
    both = f"{_text(data.get('given_name'), 100)} {_text(data.get('family_name'), 100)}"
    return " ".join((_text(data.get("name"), 200) or both).split())[:200]


def email_of(data: Mapping[str, Any]) -> str:
    """A person's address in lower case; empty where there is none that mail could reach."""
    email = _text(data.get("email"), 254).lower()
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email


def role_of(roles: object) -> str:
    """The highest of the roles in this course; roles at the institution or in the system say nothing about it.

    A teaching assistant is an instructor with a sub-role, and some platforms send both: they are an assistant then.
    """
    found = {_role(role) for role in _texts(roles)}
    return next((role.value for role in ORDER if role in found), "")


def _role(name: str) -> Role | None:
    if name.startswith("http") and not name.startswith(MEMBERSHIP):
        return None
    last = name.rpartition("#")[2]
    return {"Instructor": Role.INSTRUCTOR, "TeachingAssistant": Role.TA, "Learner": Role.STUDENT}.get(last)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, longest: int) -> str:
    return value.replace("\x00", "").strip()[:longest] if isinstance(value, str) else ""


def _texts(values: object) -> Sequence[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def service_url(value: object) -> str:
    """An address of a service; one that would be cut, or that is none, is empty."""
    text = _text(value, 1001)
    try:
        scheme = urlsplit(text).scheme
    except ValueError:
        return ""
    return text if len(text) <= 1000 and scheme in {"http", "https"} else ""
