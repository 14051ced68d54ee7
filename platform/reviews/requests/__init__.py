"""Regrade requests: a student asks for another look at a released score, and another grader keeps or changes it."""

from __future__ import annotations
