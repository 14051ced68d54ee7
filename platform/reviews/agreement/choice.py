"""Which submissions are read twice.

The choice is a keyed hash over assignment and student: nobody without the installation's key can predict it, and it stays the same
for a student who hands in again. A team's work goes by the one of its authors who was enrolled first. A grader is never told that a
reading is a second one.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from django.conf import settings

ALL_HASHES = 2**64


def is_chosen(assignment_id: int, enrollment_id: int) -> bool:
    """Whether this student's work at this assignment is read twice."""
    told = f"second reading {assignment_id} {enrollment_id}".encode()
    digest = hmac.digest(settings.SECRET_KEY.encode(), told, sha256)
    return int.from_bytes(digest[:8], "big") < settings.SECOND_READING_SHARE * ALL_HASHES
