"""What the page of all teams posts: students who were dragged, and students who were chosen and sent to one place."""

from __future__ import annotations

import re

from django.http import QueryDict

from projects.teams.details import name_or_refusal
from projects.teams.planning import Planned, Target
from projects.teams.rules import TeamRefused

# student, the team they were in when the page was made, and, where they were dragged, the team they are to be in; 0 is none
CHOSEN, DRAGGED = re.compile(r"([0-9]{1,15})-([0-9]{1,15})"), re.compile(r"([0-9]{1,15})-([0-9]{1,15})-([0-9]{1,15})")
NEW = "new"


def posted_moves(data: QueryDict) -> list[Planned]:
    """Fields: `move` as "student-from-to", any number of times; `student` as "student-from", and `target`, the team they go to, 0
    for none, or "new" with its `name`. Raises `TeamRefused` where nobody is named, or nowhere."""
    moves = {row.student: row for row in (*_chosen(data), *_dragged(data))}
    if not moves:
        raise TeamRefused("Nobody was chosen. Choose students, and where they go; nothing was changed.")
    return list(moves.values())


def _dragged(data: QueryDict) -> list[Planned]:
    found = [DRAGGED.fullmatch(text) for text in data.getlist("move")]
    return [_planned(match, Target(_number(match[3]))) for match in found if match]


def _chosen(data: QueryDict) -> list[Planned]:
    found = [match for text in data.getlist("student") if (match := CHOSEN.fullmatch(text))]
    return [_planned(match, target) for target in ([_target(data)] if found else []) for match in found]


def _target(data: QueryDict) -> Target:
    target = data.get("target", "")
    if target == NEW:
        return Target(new=name_or_refusal(data.get("name", "").replace("\0", "")))
    if not re.fullmatch(r"[0-9]{1,15}", target):
        raise TeamRefused("Please choose where they go; nothing was changed.")
    return Target(_number(target))


def _planned(match: re.Match[str], target: Target) -> Planned:
    return Planned(int(match[1]), _number(match[2]), target)


def _number(text: str) -> int | None:
    return int(text) or None
