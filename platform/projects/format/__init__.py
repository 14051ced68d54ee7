"""What a PDF looks like beside the style that a deliverable asks for. It advises; staff decide."""

from __future__ import annotations
