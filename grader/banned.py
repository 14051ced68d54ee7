"""Operations that a lab does not allow: who called one (the witness inside), and where the text names one (here)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from .contract import CheckResult, Verdict
from .inside.cells import Cell
from .lab import BannedOperations
from .source import UNPARSABLE, parse

PARTS = 16  # more than any operation's name has


def watched(rules: Sequence[BannedOperations]) -> list[str]:
    """Every operation that any task bans."""
    return sorted({name for rule in rules for name in rule.names})


def sentence(rules: Sequence[BannedOperations], task: str, seen: Mapping[str, str]) -> str:
    """What a student is told whose code called a banned operation in this task; empty when it called none."""
    for rule in rules:
        for name, place in seen.items():
            if task in rule.tasks and name in rule.names:
                return f"Calls {name} ({place}), which task {task} does not allow. {rule.reason}"
    return ""


def with_staff_notes(
    rules: Sequence[BannedOperations], cells: Sequence[Cell], results: Sequence[CheckResult]
) -> list[CheckResult]:
    """The results, with a note for staff where the text names a banned operation and nobody was seen to call it.

    Naming is no fault: it may be a comment's neighbour, or dead. But a witness can be silenced, so a person looks.
    """
    named = named_operations(cells)
    noted = list(results)
    for rule in rules:
        for task in rule.tasks:
            names = [name for name in rule.names if name in named]
            at = next((i for i, found in enumerate(noted) if found.task == task), None)
            was_seen = any(found.task == task and found.verdict is Verdict.REJECTED for found in noted)
            if names and at is not None and not was_seen:
                where = ", ".join(f"{name} at {named[name]}" for name in names)
                noted[at] = msgspec.structs.replace(noted[at], staff_note=f"The text names {where}; no call was seen.")
    return noted


def named_operations(cells: Sequence[Cell]) -> dict[str, str]:
    """Dotted name → place of its first use in the student's own cells, with `import … as …` and `getattr` by a literal resolved.

    Of a name of more than `PARTS` parts only the first ones count.
    """
    aliases: dict[str, str] = {}
    found: dict[str, str] = {}
    for cell in cells:
        try:
            tree = parse(cell.source)
        except UNPARSABLE:
            continue  # a cell that cannot be parsed cannot run either
        for node in ast.walk(tree):
            aliases |= _imported(node)
        if not cell.given:
            for name, line in _names(tree, aliases):
                found.setdefault(name, f"{cell.label}, line {line}")
    return found


def _names(tree: ast.AST, aliases: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Each dotted name and each beginning of it. A path is walked once and not by recursion: a student's may be thousands of names deep."""
    walked: set[ast.AST] = set()
    for node in ast.walk(tree):
        path: list[tuple[str, int]] = []
        below: ast.AST | None = node
        while below is not None and below not in walked and (step := _step(below)):
            walked.add(below)
            path.append((step[0], getattr(below, "lineno", 0)))
            below = step[1]
        if path and below is None and (base := aliases.get(path[-1][0])):
            name = ""
            for part, line in path[: -PARTS - 1 : -1]:
                name = f"{name}.{part}" if name else base
                yield name, line


def _imported(node: ast.AST) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {
            name.asname or name.name.partition(".")[0]: name.name if name.asname else name.name.partition(".")[0]
            for name in node.names
        }
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    return {}


def _step(node: ast.AST) -> tuple[str, ast.AST | None] | None:
    """The last part of a path and what it is a part of, which is None at the path's beginning; None for what is no path."""
    if isinstance(node, ast.Name):
        return node.id, None
    if isinstance(node, ast.Attribute):
        return node.attr, node.value
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) >= 2
        and isinstance(node.args[1], ast.Constant)
        and isinstance(node.args[1].value, str)
    ):
        return node.args[1].value, node.args[0]
    return None
