"""Reports the proportions of the code: lengths of files and functions, typed signatures, tests per line of source. Never fails."""

from __future__ import annotations

import ast
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

GROUPS = ("platform", "grader", "mlsys_core", "labs", "tests")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def sources(group: str) -> list[Path]:
    """The group's own Python files; migrations are generated."""
    listed = subprocess.run(["git", "ls-files", f"{group}/*.py"], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607
    return [Path(line) for line in listed.splitlines() if "/migrations/" not in line and "/vendor/" not in line]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 1


def typed(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the return and every argument but self and cls have a type."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [a for a in arguments if a.arg not in {"self", "cls"}]
    return function.returns is not None and all(a.annotation is not None for a in named)


def report(group: str) -> int:
    """Print one row; returns the group's lines."""
    files = sources(group)
    sizes = {path: len(path.read_text().splitlines()) for path in files}
    found = [function for path in files for function in functions(path)]
    if not found:
        return 0
    lengths = sorted(length(function) for function in found)
    share = sum(map(typed, found)) / len(found)
    longest = max(sizes, key=lambda path: sizes[path])
    p90 = lengths[int(0.9 * (len(lengths) - 1))]
    print(
        f"{group:<11}{len(files):>6}{sum(sizes.values()):>8}{statistics.median(sizes.values()):>8.0f}{len(found):>10}"
        f"{statistics.median(lengths):>8.0f}{p90:>5}{lengths[-1]:>5}{share:>8.0%}   {longest} ({sizes[longest]})"
    )
    return sum(sizes.values())


def main() -> None:
    """Print the table."""
    print(
        f"{'':<11}{'files':>6}{'lines':>8}{'median':>8}{'functions':>10}{'median':>8}{'p90':>5}{'max':>5}{'typed':>8}   longest file"
    )
    lines = {group: report(group) for group in GROUPS}
    source = sum(lines[group] for group in GROUPS if group != "tests")
    print(f"test lines per line of source: {lines['tests'] / max(1, source):.2f}")


if __name__ == "__main__":
    main()
