# honest: dataclasses, typing, pattern matching, statements about the future
from __future__ import annotations

import enum
import functools
import typing as t
from dataclasses import dataclass, field


class Kind(enum.Enum):
    PLAIN = enum.auto()


@dataclass(frozen=True, slots=True)
class Pair(t.Generic[t.TypeVar("T")]):
    a: t.Any
    b: t.Any
    kind: Kind = Kind.PLAIN
    notes: list[str | None] = field(default_factory=list)

    @functools.cached_property
    def unused(self) -> NotThereYet:
        return None


def add(a: NotThereYet, b: int | None) -> t.Any:
    match Pair(a, b):
        case Pair(kind=Kind.PLAIN):
            return a + b
