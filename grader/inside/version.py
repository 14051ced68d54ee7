"""Which version of these files this is: a judge and a sandbox of different versions must not talk."""

from __future__ import annotations

import hashlib
from pathlib import Path


def version() -> str:
    """SHA-256 over the sources beside this one, 16 hex digits."""
    sources = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(b"\0".join(sources)).hexdigest()[:16]
