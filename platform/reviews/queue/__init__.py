"""The review queue: who grades what next, and the page on which marks are given."""

from __future__ import annotations
