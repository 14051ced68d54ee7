"""Students who may need a word, by clear rules that the instructor sets. For staff alone."""

from __future__ import annotations
