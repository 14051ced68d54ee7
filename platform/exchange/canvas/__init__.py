"""The gradebook as Canvas imports it, and as a plain table."""

from __future__ import annotations
