"""The page of measurements shows the file of measurements, all of it and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.kernels.report import table

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_is_the_file_as_a_table():
    found = json.loads((DOCS / "measurements" / "kernels-h100.json").read_text())
    page = (DOCS / "kernels.md").read_text()
    assert page.endswith("## The run\n\n" + table(found))


def test_a_goal_that_was_missed_is_said():
    found = json.loads((DOCS / "measurements" / "kernels-h100.json").read_text())
    missed = [goal for row in found["rows"] for goal in row["goals"] if not goal["met"]]
    assert (DOCS / "kernels.md").read_text().count("**missed**") == len(missed) > 0
