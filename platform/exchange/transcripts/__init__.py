"""What a student did in the course, on one page for printing."""

from __future__ import annotations
