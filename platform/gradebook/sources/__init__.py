"""Where the numbers of the gradebook come from: every student at every part, with the policy, read anew each time it is asked for."""

from __future__ import annotations
