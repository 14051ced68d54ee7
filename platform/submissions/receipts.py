"""The signed receipt: what it states, how it is signed, and how one is read again. Nothing here asks the database.

A receipt is JSON that people can read and mail. Its signature is HMAC-SHA256, by `django.core.signing`, over the compact JSON of
everything else; docs/decisions says why. Only the white space between its parts may change on its way.
"""

from __future__ import annotations

import hashlib
import re
import secrets

import msgspec
from django.conf import settings
from django.core.signing import BadSignature, Signer

KIND = "gradlab receipt 1"
SALT = "gradlab.receipt"
MAX_CHARS = 100_000


class NotGenuine(Exception):  # noqa: N818 - an answer to the person who asked, not a fault
    """What was shown is no receipt of ours; the text says why, in one or two sentences."""


class StatedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file that was received."""

    name: str
    size: int
    sha256: str


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which key signed, and what came of it."""

    key: str
    hmac_sha256: str


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a receipt states. Times are the server's: `received_at` in UTC, `received_here` in the course's zone.

    `waiting_ahead` is None for work that no queue grades. `student` pressed the button; a team's work names the team and all of its
    authors, and other receipts leave both out, so that those from before there were teams are read as they were signed.
    """

    kind: str
    code: str
    check_at: str
    submission: int
    attempt: int
    course: str
    assignment: str
    student: str
    email: str
    received_at: str
    received_here: str
    due_at: str
    late: bool
    waiting_ahead: int | None
    sha256: str
    files: tuple[StatedFile, ...]
    team: str = ""
    authors: tuple[str, ...] = ()


class SignedStatement(Statement, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The whole receipt. Fields keep their order, so that its bytes are the same each time."""

    signature: Signature


def new_code() -> str:
    """The name under which a receipt can be looked up; nobody guesses one of another student."""
    return secrets.token_hex(10)


def sign(statement: Statement) -> str:
    """The receipt as text, signed with the key of today."""
    key = _keys()[0]
    signature = Signature(key=key_id(key), hmac_sha256=_signer(key).signature(_canonical(statement)))
    signed = SignedStatement(**msgspec.structs.asdict(statement), signature=signature)
    return msgspec.json.format(msgspec.json.encode(signed), indent=2).decode() + "\n"


def read(text: str) -> Statement:
    """What the receipt in `text` states; raises `NotGenuine`. Text around it, and the quote marks of a mail, do no harm."""
    if len(text) > MAX_CHARS:
        raise NotGenuine("This is longer than any receipt. Choose the receipt's own file, or paste the receipt alone.")
    receipt = _unwrapped(text)
    try:
        signed = msgspec.json.decode(receipt, type=SignedStatement)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise NotGenuine(
            "This is not a whole receipt, so nothing can be said about it. Paste it from the first { to the last }."
        ) from error
    # what is read twice, left out or spelt otherwise would be shown to people and not be signed
    if msgspec.json.format(receipt.encode(), indent=-1) != msgspec.json.encode(signed) or signed.kind != KIND:
        raise NotGenuine("This is not a receipt as we write them, so it was changed or was never ours.")
    statement = _unsigned(signed)
    _check_signature(statement, signed.signature)
    return statement


def stated(text: str) -> Statement:
    """What a receipt of our own database states; its signature is not looked at."""
    return _unsigned(msgspec.json.decode(text, type=SignedStatement))


def key_id(key: str) -> str:
    """A name for the key that says nothing about it."""
    return hashlib.sha256(f"{SALT}:{key}".encode()).hexdigest()[:8]


def _check_signature(statement: Statement, signature: Signature) -> None:
    keys = {key_id(key): key for key in _keys()}
    if signature.key not in keys:
        raise NotGenuine(
            f"It names a key, {signature.key}, that this installation does not know. It is from elsewhere, or an old key is missing "
            "from GRADLAB_RECEIPT_OLD_KEYS."
        )
    try:
        _signer(keys[signature.key]).unsign(f"{_canonical(statement)}:{signature.hmac_sha256}")
    except BadSignature as error:
        raise NotGenuine("The signature does not fit what it states, so something in it was changed.") from error


def _keys() -> list[str]:
    """The key that signs, then those that only verify. Where people are, a system check insists on a key of its own."""
    return [settings.RECEIPT_KEY or settings.SECRET_KEY, *settings.RECEIPT_OLD_KEYS]


def _signer(key: str) -> Signer:
    return Signer(key=key, salt=SALT, algorithm="sha256", fallback_keys=[])


def _canonical(statement: Statement) -> str:
    return msgspec.json.encode(statement).decode()


def _unsigned(signed: SignedStatement) -> Statement:
    stated = {name: getattr(signed, name) for name in Statement.__struct_fields__}
    return Statement(**stated)


def _unwrapped(text: str) -> str:
    """From the first brace to the last, without the marks that mail programs put before quoted lines."""
    # a title or a name may hold one of the rarer line ends, which are none in JSON
    lines = "\n".join(line.lstrip("> \t") for line in re.split(r"\r\n|\r|\n", text))
    return lines[lines.find("{") : lines.rfind("}") + 1]
