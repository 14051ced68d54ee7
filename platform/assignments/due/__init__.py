"""When work is due for one student: the assignment's date, moved by an extension or by standing extra time."""

from __future__ import annotations
