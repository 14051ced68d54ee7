"""The arithmetic of grades, in exact fractions and without a database: scores and a policy in, grades and their derivation out."""

from __future__ import annotations
