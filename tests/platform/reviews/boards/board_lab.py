"""The tiny lab with a board: what a submission costs is what its own code says, between two ends, so that ties can be made."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from assignments.models import Lab
from assignments.services import publish_lab
from tests.factories import TINY
from tests.support import ADD, SCALE

CHECK = '''

@pytest.mark.points(2)
@pytest.mark.measured
def test_cost(student, rng, expect, measure):
    """the cost of it"""
    cost, spread = student.call("cost", draw=int(rng.integers(1000)))
    expect.that(cost > 0, "costs nothing")
    measure.ratio("cost", cost, full_at=1, zero_at=100, low=cost - spread, high=cost + spread, samples=15 if spread else 1)
'''
DRIVER = """

def cost(program, draw):
    return list(program.cost(draw))
"""


def boarded(folder: Path, version: int = 1) -> Path:
    """The tiny lab in this folder, with a board for `cost`."""
    shutil.copytree(TINY, folder)
    settings = (folder / "lab.toml").read_text().replace("points = 4", "points = 6")
    (folder / "lab.toml").write_text(f'boards = ["test_add::test_cost"]\n{settings}')
    checks = folder / "checks" / "test_add.py"
    checks.write_text(
        checks.read_text() + CHECK.replace("@pytest.mark.points(2)", '@pytest.mark.task("2")\n@pytest.mark.points(2)')
    )
    driver = folder / "driver.py"
    driver.write_text(driver.read_text() + DRIVER)
    (folder / "handout.md").write_text(f"# Tiny, version {version}\n")
    return folder


def priced(cost: str, spread: float = 0) -> str:
    """A program that says what it costs; `draw` is the check's random number."""
    return f"{ADD}{SCALE}\ndef cost(draw):\n    return {cost}, {spread}\n"


def publish_boarded(version: int = 1) -> Lab:
    """It, published."""
    with tempfile.TemporaryDirectory() as folder:
        return publish_lab(boarded(Path(folder, "boarded"), version))
