"""Reading a posted order of talks."""

from __future__ import annotations

from collections.abc import Sequence

from projects.presentations.locks import TalkRefused


def read_order(lines: Sequence[str], move: str, sessions: Sequence[int]) -> dict[int, list[int]]:
    """By id of the session, its talks' ids from first to last. Raises `TalkRefused` for what is no order of these sessions.

    `lines` say `session:talk`, from top to bottom; `move` is empty, or a talk's id with `:up` or `:down`.
    """
    order: dict[int, list[int]] = {session: [] for session in sessions}
    try:
        for line in lines:
            session, talk = (int(part) for part in line.split(":"))
            order[session].append(talk)
    except (ValueError, KeyError):
        raise TalkRefused(
            "The schedule has changed since you opened it, so the order was not saved. Here it is as it stands now."
        ) from None
    moved, _, way = move.partition(":")
    if moved.isdecimal() and len(moved) < 19 and way in {"up", "down"}:
        _step(order, int(moved), 1 if way == "down" else -1)
    return order


def _step(order: dict[int, list[int]], talk: int, by: int) -> None:
    """Move a talk by a place; from the edge of a session it goes to the session beside it."""
    sessions = list(order)
    here = next((session for session in sessions if talk in order[session]), None)
    if here is None:
        return
    place = order[here].index(talk) + by
    beside = sessions.index(here) + by
    if 0 <= place < len(order[here]):
        order[here].remove(talk)
        order[here].insert(place, talk)
    elif 0 <= beside < len(sessions):
        order[here].remove(talk)
        there = order[sessions[beside]]
        there.insert(0 if by > 0 else len(there), talk)
