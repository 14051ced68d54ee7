"""Reports of labs in the form in which Gradescope reads results."""

from __future__ import annotations
