"""Names and roles: who is in the platform's course, beside who is in the class."""

from __future__ import annotations
