"""Regrade of a whole lab: a dry run under its new version, applied or thrown away as one act, and taken back as one."""

from __future__ import annotations
