"""What staff decide about one part of one student's grade, in place of its source."""

from __future__ import annotations
