"""Seed data: the course as it was taught in Spring 2026, and the people and submissions of a demo."""

from __future__ import annotations
