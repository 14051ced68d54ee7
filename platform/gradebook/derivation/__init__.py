"""How a grade came about: every number with what it was made of, and the formula in words."""

from __future__ import annotations
