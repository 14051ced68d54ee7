"""Lab 2 as a whole: the solution scores everything, the student version nothing, and its parts are as they should be.

That each known wrong solution loses points in its own task is `python -m grader mutants labs/inference`, which takes minutes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import nbformat
import pytest

from grader.contract import GradeReport, SandboxKind
from grader.lab import Lab
from tests.labs.grading import points_by_task
from tests.labs.whole import WholeLab

pytest.importorskip("torch")
pytest.importorskip("triton")

PATH = Path(__file__).resolve().parents[2] / "labs" / "inference"


JOINED = """
def tiled_attention(q, k, v, causal=False, mask=None, tile=64, scale=None):
    (heads, n, d), m = q.shape, k.shape[1]
    scale = d**-0.5 if scale is None else scale
    found = torch.zeros(heads, n, v.shape[-1]), torch.full((heads, n), -math.inf)
    for start in range(0, m, tile):
        scores = torch.bmm(q.float(), k[:, start : start + tile].float().transpose(1, 2)) * scale
        if causal:
            later = torch.arange(start, start + scores.shape[-1]) > torch.arange(n)[:, None] + (m - n)
            scores[:, later] = -math.inf
        if mask is not None:
            scores[:, ~mask[:, start : start + tile]] = -math.inf
        lse = torch.logsumexp(scores, -1)
        shares = torch.exp(scores - torch.nan_to_num(lse, neginf=0.0)[..., None])
        found = merge(found, (torch.bmm(shares, v[:, start : start + tile].float()), lse))
    return found[0].to(q.dtype), found[1]
"""


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

    def test_tiles_that_are_joined_by_merge_are_right_too(self, tmp_path: Path, walls: SandboxKind):
        """Task 2b stands before 2c, so it is what many will write; near 10,000 it knows ℓ, and so the shares, to a rounding of ℓ."""
        notebook = nbformat.read(self.lab.notebook, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(JOINED))
        for seed in (7, 9):
            report = self.graded(tmp_path, nbformat.writes(notebook).encode(), walls, tasks=("2",), seed=seed)
            assert points_by_task(report) == {"2": 10.0}, [check.message for check in report.checks]
