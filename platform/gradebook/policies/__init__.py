"""How grades are made: read in words, edited as one form, tried out on the class before anything is saved, and taken back."""

from __future__ import annotations
