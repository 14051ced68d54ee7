"""Teams of a project: who is in which one, who may still join, and what staff decided about it."""

from __future__ import annotations
