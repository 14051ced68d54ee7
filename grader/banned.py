"""Operations that a lab does not allow: who called one (the witness inside), and where the text names one (here)."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import msgspec

from .contract import CheckResult, Verdict
from .inside.cells import Cell
from .lab import BannedOperations
from .source import UNPARSABLE, parse


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
    """Dotted name → place of its first use in the student's own cells, with `import … as …` and `getattr` by a literal resolved."""
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
            for node in ast.walk(tree):
                name = _dotted(node, aliases)
                if name:
                    found.setdefault(name, f"{cell.label}, line {getattr(node, 'lineno', 0)}")
    return found


def _imported(node: ast.AST) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {
            name.asname or name.name.partition(".")[0]: name.name if name.asname else name.name.partition(".")[0]
            for name in node.names
        }
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    return {}


def _dotted(node: ast.AST, aliases: Mapping[str, str]) -> str:
    """`np.linalg.inv` → `numpy.linalg.inv`; empty for anything that is no path from an imported name."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, "")
    if isinstance(node, ast.Attribute):
        below = _dotted(node.value, aliases)
        return f"{below}.{node.attr}" if below else ""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) >= 2
    ):
        below, name = _dotted(node.args[0], aliases), node.args[1]
        if below and isinstance(name, ast.Constant) and isinstance(name.value, str):
            return f"{below}.{name.value}"
    return ""
