"""Lab 2 as a whole: the solution scores everything, the student version nothing, and its parts are as they should be.

That each known wrong solution loses points in its own task is `python -m grader mutants labs/inference`, which takes minutes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import pytest

from grader.contract import GradeReport
from grader.lab import Lab
from tests.labs.whole import WholeLab

pytest.importorskip("torch")
pytest.importorskip("triton")

PATH = Path(__file__).resolve().parents[2] / "labs" / "inference"


class TestInference(WholeLab):
    lab, on_gpu = Lab(PATH), Lab(PATH, gpu=True)
    points: ClassVar = {"1": 12.0, "2": 10.0, "3": 10.0, "4": 12.0, "5": 12.0, "6": 12.0, "7": 12.0, "8": 2.0}
    gpu_points: ClassVar = {"3": 8.0, "4": 6.0, "8": 4.0}
    predictions: ClassVar = ["1", "3", "4", "6", "8"]
    finished = ("import mlsys_core.kernels.meter", "from flash_attn import flash_attn_func", "import vllm")

    def told(self, report: GradeReport) -> None:
        (told,) = (
            one.message for one in report.checks if one.title.startswith("Bytes that the kernel loads, as predicted")
        )
        assert re.search(r"At BLOCK_M \d+ you read K and V [\w. ]+; BLOCK_M 128 reads them ", told)
        charts = [chart.title for one in report.checks if one.measurement for chart in one.measurement.charts]
        assert "Bytes by BLOCK_M" in charts
