"""How the class did: distributions and figures of the final score, of each component and of each part."""

from __future__ import annotations
