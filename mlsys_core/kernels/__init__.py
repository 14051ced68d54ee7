"""Kernels, and what judges one without a GPU."""

from __future__ import annotations
