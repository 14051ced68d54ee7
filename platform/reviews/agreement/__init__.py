"""Second readings: who agrees with whom, who is lenient, and texts that all graders read before they grade."""

from __future__ import annotations
