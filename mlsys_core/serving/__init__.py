"""Serving a language model to many at once: memory in blocks, batches that change at every step, prefixes computed once."""

from __future__ import annotations
