"""The presentation hour: talks, and how classmates and staff rate them while they go on."""

from __future__ import annotations
