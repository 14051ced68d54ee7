"""Typed readers of the environment. Every variable starts with `GRADLAB_`; a wrong value stops the start with its name.

A secret may also come from a file: `GRADLAB_SECRET_KEY_FILE=/run/secrets/key` stands for `GRADLAB_SECRET_KEY`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from config import pool as connections

PREFIX = "GRADLAB_"
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"", "0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """The variable as text, surrounding space removed."""
    return os.environ.get(PREFIX + name, default).strip()


def flag(name: str, *, default: bool) -> bool:
    """The variable as yes or no; raises `ImproperlyConfigured` for anything else."""
    value = text(name, "1" if default else "0").lower()
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise ImproperlyConfigured(f"{PREFIX}{name} must be yes or no, not {value!r}.")


def integer(name: str, default: int) -> int:
    """The variable as a whole number."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be a whole number, not {value!r}.") from error


def items(name: str, default: str = "") -> list[str]:
    """The variable as a list, separated by commas."""
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def secret(name: str, default: str = "") -> str:
    """The variable, or the content of the file that `<name>_FILE` names; both at once is refused."""
    path = text(f"{name}_FILE")
    if path and text(name):
        raise ImproperlyConfigured(f"Set {PREFIX}{name} or {PREFIX}{name}_FILE, not both.")
    if not path:
        return text(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{PREFIX}{name}_FILE names {path}, which cannot be read: {error}.") from error


def secrets(name: str) -> list[str]:
    """Several secrets, separated by commas, spaces or line ends; from a file as one secret is."""
    return secret(name).replace(",", " ").split()


def clock_offset() -> timedelta:
    """How far the platform's clock stands from the machine's: zero but in a demo.

    `GRADLAB_CLOCK_OFFSET_S` (seconds) is what several processes share; `GRADLAB_CLOCK` (an ISO moment that is "now" when
    this process starts) suits one process.
    """
    seconds, moment = text("CLOCK_OFFSET_S"), text("CLOCK")
    try:
        if seconds:
            return timedelta(seconds=float(seconds))
        if not moment:
            return timedelta(0)
        start = datetime.fromisoformat(moment)
    except ValueError as error:
        raise ImproperlyConfigured(f"{PREFIX}CLOCK or {PREFIX}CLOCK_OFFSET_S cannot be read: {error}.") from error
    if start.tzinfo is None:
        raise ImproperlyConfigured(f"{PREFIX}CLOCK needs a UTC offset, as in 2026-02-18T19:41:00-06:00.")
    return start - datetime.now(UTC)


@dataclass(frozen=True)
class Mail:
    """How mail leaves."""

    backend: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    ssl: bool = False
    starttls: bool = False


def mail(url: str) -> Mail:
    """`smtp://user:password@host:587` (STARTTLS), `smtps://…:465`, or `smtp+plain://host:25` without encryption; empty: to the log."""
    if not url:
        return Mail("django.core.mail.backends.console.EmailBackend")
    parts, ports = urlsplit(url), {"smtp": 587, "smtps": 465, "smtp+plain": 25}
    _, _, port = parts.netloc.rpartition("@")[2].partition(":")
    if parts.scheme not in ports or not parts.hostname or not (port == "" or port.isdecimal()):
        raise ImproperlyConfigured(f"{PREFIX}MAIL_URL must look like smtp://user:password@host:587.")
    return Mail(
        backend="django.core.mail.backends.smtp.EmailBackend",
        host=parts.hostname,
        port=int(port or ports[parts.scheme]),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ssl=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp",
    )


def database(url: str, *, embedded: Path, pool: int = 0) -> dict[str, Any]:
    """One entry of `DATABASES`: PostgreSQL for `postgresql://user:password@host:port/name`, else SQLite at `embedded`.

    With `pool` a process keeps that many connections to PostgreSQL at most, and whoever needs one more waits.
    """
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": embedded,
            "OPTIONS": {
                # writers queue at BEGIN, so no transaction fails half-way for a lock it cannot have
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # FULL: a receipt is a promise that survives a power cut
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{PREFIX}DATABASE_URL must start with postgresql://, not {parts.scheme}://.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        # each request has a thread of its own, so a connection that outlived its request would never be used again
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        # a host that is down answers nothing at all
        "OPTIONS": {"connect_timeout": 5} | ({"pool": connections.options(pool)} if pool else {}),
    }
