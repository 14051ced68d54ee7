"""Reading what came back: it may be anything."""

from __future__ import annotations


def field(expect, answer, name):
    """One field of the driver's answer."""
    expect.that(isinstance(answer, dict) and name in answer, f"the answer has no {name}")
    return answer[name]
