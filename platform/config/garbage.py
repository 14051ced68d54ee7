"""How often Python looks for garbage in cycles.

A page of a large class makes tens of thousands of small objects, none of which is in a cycle; looking through all of them again and again
while they are made was a third of what the page costs. What the application loads at its start stays for good and is not looked at at all.
"""

from __future__ import annotations

import gc

NEW_OBJECTS, YOUNG, OLD = 50_000, 20, 20


def collect_seldom() -> None:
    """To be called once, when everything is loaded. What is free without a cycle is freed at once as ever."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNG, OLD)
