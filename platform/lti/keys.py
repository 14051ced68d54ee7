"""Our key: what platforms know our requests by.

It comes from `GRADLAB_LTI_KEY` (a PEM, or a file that holds it), which hosts that share a database must share as well; without the
setting it is made once, below the data directory, readable by this process's user alone. The database never holds it.
"""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pylti1p3.registration import Registration

BITS = 3072


def private_pem() -> str:
    """The key as PEM; it is made at the first call."""
    if settings.LTI_KEY:
        return str(settings.LTI_KEY)
    path = Path(settings.DATA_DIR) / "lti" / "key.pem"
    if not path.exists():
        _make(path)
    return path.read_text(encoding="ascii")


def public_pem() -> str:
    """Its public half as PEM."""
    return _public(private_pem())


def key_set() -> dict[str, list[dict[str, Any]]]:
    """Its public half as the JWKS that platforms fetch."""
    return {"keys": [dict(Registration.get_jwk(public_pem()))]}


def _make(path: Path) -> None:
    """Write a new key. Of two processes that do so at once one wins: the file appears whole, and only where there is none."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:  # readable by its owner alone
        file.write(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
        try:
            path.hardlink_to(file.name)
        except FileExistsError:
            return


@lru_cache(maxsize=4)
def _public(pem: str) -> str:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except ValueError as error:
        raise ImproperlyConfigured("GRADLAB_LTI_KEY is no private key in PEM form.") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
        raise ImproperlyConfigured("GRADLAB_LTI_KEY must be an RSA key of at least 2048 bits.")
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
