"""Marks by hand: a grader claims a submission, gives each rubric item its level, and the marks become the score."""

from __future__ import annotations
