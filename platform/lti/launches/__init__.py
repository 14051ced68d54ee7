"""Opening Gradlab from a platform: the handshake, who the person is, and where they go."""

from __future__ import annotations
