"""Lab 3 as a whole: the solution scores everything, the student version nothing, and its parts are as they should be.

That each known wrong solution loses points in its own task is `python -m grader mutants labs/compression`, which takes minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from grader.contract import GradeReport
from grader.lab import Lab
from tests.labs.whole import WholeLab

pytest.importorskip("torch")
pytest.importorskip("triton")

PATH = Path(__file__).resolve().parents[2] / "labs" / "compression"


class TestCompression(WholeLab):
    lab, on_gpu = Lab(PATH), Lab(PATH, gpu=True)
    points: ClassVar = {"1": 12.0, "2": 10.0, "3": 17.0, "4": 12.0, "5": 14.0, "6": 10.0, "7": 8.0, "8": 1.0}
    gpu_points: ClassVar = {"2": 8.0, "5": 4.0, "7": 4.0}
    predictions: ClassVar = ["1", "2", "5", "6", "7"]
    finished = ("import mlsys_core.kernels.meter", "from torchao import quantization", "import bitsandbytes")

    def told(self, report: GradeReport) -> None:
        told = {check.title: check.message for check in report.checks if check.measurement}
        assert any("before" in one and "yours" in one for one in told.values())
