"""Points that nbgrader gave, from its export or its database, as decisions."""

from __future__ import annotations
