"""Summaries that share long passages: found by machine, judged by people, never shown to students."""

from __future__ import annotations
