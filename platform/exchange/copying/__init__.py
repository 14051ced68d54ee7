"""An offering made from an earlier one: everything but the people and their work."""

from __future__ import annotations
