"""What the formulas give is what was published, to the last digit that was printed or as the sentence beside it says."""

from __future__ import annotations

import pytest

from mlsys_core.papers import efficient_inference, flash_attention, megatron, zero
from mlsys_core.papers.studies import STUDIES


@pytest.mark.parametrize("run", megatron.RUNS, ids=lambda run: f"{run.parameters_b}B")
def test_each_row_of_megatron_to_a_tenth_of_a_billion_and_three_tenths_of_a_percent(run, held):
    weights = megatron.parameters(run.layers, run.hidden) / 1e9
    held("papers: Megatron-LM, weights", "table 1, 10⁹", [weights], [run.parameters_b], 0.05)
    assert abs(weights - run.parameters_b) <= 0.05 + 1e-9
    assert abs(100 * run.tflops / megatron.A100_TFLOPS - run.percent) <= 0.5
    # each GPU's speed is printed to a whole number and all of them to a tenth, which is more than 0.3 % of the first row
    apart = abs(run.tflops * run.gpus / 1e3 - run.pflops)
    assert apart <= 0.5 * run.gpus / 1e3 + 0.05
    assert apart <= 0.05 or round(100 * apart / run.pflops, 1) <= 0.3


def test_days_of_a_training():
    assert megatron.training_days(300e9, 175e9, 1024, 140) == pytest.approx(34, abs=0.5)
    assert megatron.training_days(450e9, 1.008e12, 3072, 163) == pytest.approx(84, abs=0.5)


def test_operations_are_four_passes_of_two_operations_a_weight_and_attention():
    """Counted apart: 24 B s h² + 4 B s² h a layer, forward, again to recompute, and twice for backward; the logits without the second."""
    for batch, layers, hidden, vocabulary, sequence in ((7, 3, 48, 1000, 32), (512, 24, 2304, 51_200, 2048)):
        layer = 24 * batch * sequence * hidden**2 + 4 * batch * sequence**2 * hidden
        counted = 4 * layers * layer + 3 * 2 * batch * sequence * hidden * vocabulary
        assert megatron.step_flops(batch, layers, hidden, vocabulary, sequence) == pytest.approx(counted, rel=1e-12)


def test_all_eighteen_cells_of_zero_as_they_are_printed():
    cells = [cell for row in zero.SEVEN.rows for cell in row.cells]
    assert len(cells) == 18
    for cell in cells:
        after = 2 if cell.published < 1.9 else 1
        assert abs(cell.computed - cell.published) <= 0.5 * 10**-after + 1e-9
    for row in zero.LARGE.rows:
        for cell in row.cells:
            # the paper cuts 4011.7 to 4011
            assert int(cell.computed) == int(cell.published) or abs(cell.computed - cell.published) <= 0.05


def test_what_is_held_in_parts_adds_up_to_what_one_device_held():
    for devices in (1, 3, 64):
        for stage in zero.STAGES:
            assert zero.bytes_per_device(10.0, devices, stage) >= 160 / devices * (1 - 1e-12)
    assert zero.bytes_per_device(10.0, 5, "os+g+p") * 5 == pytest.approx(zero.bytes_per_device(10.0, 1, "none"))
    with pytest.raises(KeyError):
        zero.bytes_per_device(1.0, 4, "os+p")


def test_utilization_to_a_percent_and_context_to_a_hundredth():
    for row in efficient_inference.UTILIZATION.rows:
        assert abs(row.cells[0].computed - row.cells[0].published) <= 0.6, row.label
    assert efficient_inference.CONTEXT.worst <= 0.011
    assert 1e3 * efficient_inference.weights_floor_s(1) == pytest.approx(7.0, abs=0.05)


def test_no_study_is_further_from_its_paper_than_rounding_is():
    """The coarsest cells are printed to two digits."""
    for study in STUDIES:
        for table in study.tables:
            for row in table.rows:
                for cell in row.cells:
                    unit = 10.0 ** (len(f"{cell.published:g}".split(".")[0]) - 2) if cell.published >= 10 else 0.1
                    assert abs(cell.difference) <= 0.03 or abs(cell.computed - cell.published) <= unit, (
                        study.slug,
                        row,
                    )


@pytest.mark.parametrize("rows", [16, 32, 64])
def test_blocks_read_what_the_formula_says(rows, held):
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    from mlsys_core.kernels.attention.launch import Problem, run_forward
    from mlsys_core.kernels.attention.tile_table import Tile
    from mlsys_core.kernels.meter import Meter

    n, d = 128, 16
    q, k, v = torch.randn(3, 1, 1, n, d, generator=torch.Generator().manual_seed(rows))
    with Meter() as meter:
        out, _ = run_forward(q, k, v, Problem(left=-1, right=-1, scale=d**-0.5), Tile(rows, 32))
    assert meter.findings == ()
    held("papers: FlashAttention, kernel", "SDPA", out, scaled_dot_product_attention(q, k, v), 1e-5)
    assert meter.report()["loaded"] == 4 * flash_attention.flash_loaded_elements(n, d, rows)
    assert meter.report()["stored"] == 4 * n * d + 4 * n  # and the LSE of each row
    moved = meter.report()["loaded"] + meter.report()["stored"] - 4 * n
    assert moved == 4 * flash_attention.flash_elements(n, d, rows)
