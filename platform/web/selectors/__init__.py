"""Reads for the pages that join several apps."""

from __future__ import annotations
