"""Rows of the access matrix: a module a part of the product.

Each has `ROWS`, and `make(world, things)` and `MODELS` where its pages
need, or change, things of their own."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

ROLES = (
    "nobody",
    "stranger",
    "student",
    "classmate",
    "dropped",
    "ta",
    "instructor",
    "other_student",
    "other_instructor",
)
EVERYONE = set(ROLES)
SIGNED_IN = EVERYONE - {"nobody"}
STAFF = {"ta", "instructor"}
MEMBERS = {"student", "classmate", *STAFF}
OWN = {"student", *STAFF}


@dataclass(frozen=True)
class Row:
    """A URL: who may use it, how, and what they get; everyone else is told that there is no such page."""

    allowed: set[str]
    args: Callable[[Any], list[Any]] = lambda _: []
    method: str = "get"
    data: Callable[[Any], dict[str, Any]] = lambda _: {}
    found: int = 200
    # names that the form has beyond those of `data`
    fields: frozenset[str] = frozenset()


def parts() -> list[ModuleType]:
    """Every module of rows."""
    found = [module.name for module in pkgutil.iter_modules(__path__) if module.name != "__main__"]
    return [import_module(f"{__name__}.{name}") for name in found]
