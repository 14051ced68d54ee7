"""What students hand in: right and wrong work, and the three cheats, each in the words of the system that it is aimed at.

A cheat's own work is wrong (4 of 10) or empty (0 of 10), so whatever a system gives above that was taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .assignment import MAX_SCORE, SOLUTION


class System(StrEnum):
    """Who grades."""

    NBGRADER = "nbgrader"
    OTTER = "otter"
    GRADLAB = "gradlab"


@dataclass(frozen=True)
class Submission:
    """The text of the student's cell, and the points that it is worth."""

    name: str
    source: str
    honest: float


WRONG = SOLUTION.replace("part.slope += rate", "part.slope = rate")  # forgets that slopes add up: q1, q2 and q5 fail
EMPTY = "class Scalar:\n    pass"
FULL = Submission("full", SOLUTION, MAX_SCORE)
BUGGY = Submission("buggy", WRONG, 4)

# 1. Every number is close to every other, because `abs` says so.
BUILTINS = """
import builtins


class Nothing(float):
    def __le__(self, other):
        return True


builtins.abs = lambda _: Nothing()
"""

# 2. The process that grades is the one that runs this cell.
GRADER = {
    System.NBGRADER: """
import ast


class Silence(ast.NodeTransformer):
    def visit_Module(self, node):
        node.body = []
        return node


get_ipython().ast_transformers.append(Silence())
""",
    System.OTTER: """
from otter.test_files.abstract_test import TestCaseResult
from otter.test_files.exception_test import ExceptionTestFile


def run(self, _):
    self.test_case_results = [TestCaseResult(case, "", True) for case in self.test_cases]


ExceptionTestFile.run = run
""",
    System.GRADLAB: """
import sys

from inside import main, program

main._answer = lambda *_: {"ok": True, "value": True, "verdict": "passed", "passed": True, "score": 10.0}
program.Program.call = lambda *_: True
for name in ("q1", "q2", "q3", "q4", "q5"):
    setattr(sys.modules["driver"], name, lambda *_: True)
""",
}

# 3. Grades, or the tests that give them, are files like any other.
STORE = {
    System.NBGRADER: """
import sqlite3
from pathlib import Path

with sqlite3.connect(Path.cwd().parents[2] / "gradebook.db", timeout=10) as book:
    book.execute("UPDATE grade SET manual_score = 2")
""",
    System.OTTER: """
from pathlib import Path

for test in Path("tests").glob("q*.py"):
    test.write_text(f"{test.read_text()}\\n\\ntest_{test.stem}.test_func = lambda: None\\n")
""",
    # It tries every file of ours that is there, and a store under the peers' names anywhere above it.
    System.GRADLAB: """
from pathlib import Path

stores = [folder / name for folder in Path.cwd().parents for name in ("gradebook.db", "results.json")]
for target in [*Path("/gradlab/inside").rglob("*.py"), *filter(Path.exists, stores)]:
    try:
        target.write_text("raise SystemExit(0)")
        print("overwrote", target)
    except OSError as error:
        print(target, error)
""",
}
CHEATS = {"builtins": "patches builtins", "grader": "patches the grader", "store": "overwrites grades or tests"}


def cheats(system: System) -> list[Submission]:
    """The three cheats against one system, in the order of `CHEATS`."""
    return [
        Submission("builtins", WRONG + "\n\n" + BUILTINS, BUGGY.honest),
        Submission("grader", EMPTY + "\n\n" + GRADER[system], 0),
        Submission("store", EMPTY + "\n\n" + STORE[system], 0),
    ]


def batch(size: int) -> list[Submission]:
    """`size` different submissions, right and wrong in turn; the first half is named `one-…`, the second `two-…`."""
    made = []
    for number in range(size):
        base = (FULL, BUGGY)[number % 2]
        half = "one" if number < (size + 1) // 2 else "two"
        source = f"{base.source}\n\n\ndef half_of_{number}(scalar):\n    return scalar * Scalar({number} / 2)"
        made.append(Submission(f"{half}-{number:02}", source, base.honest))
    return made
