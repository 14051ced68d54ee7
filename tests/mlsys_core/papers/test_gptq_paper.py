"""GPTQ's page: what was counted is what the library counts, and the formula for what can be made good is the factor's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mlsys_core.compression.calibration import layer_error
from mlsys_core.compression.gptq import gptq, inverse_factor
from mlsys_core.compression.rtn import Scheme, quantize
from mlsys_core.papers.gptq import COLUMNS, COUNTED, LLAMA, OPT, STUDY, foretold, remaining


def correlated(rho):
    """Second moments of inputs whose neighbours are correlated with ρ."""
    at = torch.arange(COLUMNS, dtype=torch.float64)
    return 2 * rho ** (at[:, None] - at).abs()


@pytest.mark.parametrize(("rho", "counted"), COUNTED)
def test_the_ratio_of_errors_is_what_the_library_gives_and_what_the_formula_says(rho, counted, held):
    w = torch.randn(512, COLUMNS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h, scheme = correlated(rho), Scheme(4)
    errors = [layer_error(w, found.dequantize(), h) for found in (gptq(w, h, scheme, damping=0), quantize(w, scheme))]
    assert round(errors[0] / errors[1], 3) == pytest.approx(counted, abs=1e-3)
    held(
        "papers: GPTQ, what remains",
        "the library on 512 rows",
        errors[0] / errors[1] / remaining(rho, COLUMNS),
        1,
        0.03,
    )


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9, 0.99])
def test_what_remains_is_the_sum_of_what_later_columns_cannot_foretell(rho, held):
    """D of H = L D Lᵀ from the last column on is 1 / U_jj²; and, apart from any factor, a residual of least squares."""
    h = correlated(rho)
    by_factor = float((1 / inverse_factor(h, 0).diagonal() ** 2).sum() / h.diagonal().sum())
    residuals = []
    for j in range(COLUMNS):
        later, mine = h[j + 1 :, j + 1 :].numpy(), h[j + 1 :, j].numpy()
        residuals.append(float(h[j, j]) - (mine @ np.linalg.solve(later, mine) if len(mine) else 0.0))
    expected = sum(residuals) / float(h.diagonal().sum())
    for found in (by_factor, remaining(rho, COLUMNS)):
        held("papers: GPTQ, what remains", "numpy.linalg.solve", found / expected, 1, 1e-8)


def test_losses_are_those_of_the_printed_perplexities():
    assert len(OPT) == 9
    assert OPT[0].lost("gptq", 4) == pytest.approx(math.log(31.12 / 27.65))
    assert [model.billions for model in OPT if model.gptq_3 is None] == [13, 30, 175]
    for model in (*OPT, LLAMA):
        for bits in (3, 4):
            lost = model.lost("gptq", bits)
            assert lost is None or 0 < lost < model.lost("rtn", bits)


def test_three_bits_are_foretold_from_four_where_the_loss_is_small():
    """A step of (15/7) times the size; within two fifths where GPTQ lost at most 0.12 nats at 4 bits, and far off for plain rounding."""
    assert foretold(0.1, 3) == pytest.approx(0.1 * (15 / 7) ** 2)
    assert foretold(0.1, 4) == 0.1
    for model in (OPT[0], OPT[1], OPT[2], OPT[4], LLAMA):
        assert 0.6 < foretold(model.lost("gptq", 4), 3) / model.lost("gptq", 3) < 1.4
    assert foretold(LLAMA.lost("rtn", 4), 3) < 0.4 * LLAMA.lost("rtn", 3)


@pytest.mark.parametrize(("bits", "times", "small"), [("3", "4.3", "2.2"), ("4", "1.5", "2.2")])
def test_the_figure_says_how_much_plain_rounding_costs_beside_it(bits, times, small):
    figure = STUDY.figure(STUDY.settings({"bits": bits})[0])
    assert f"{times} times as many nats a token" in figure.says
    assert f"{small} times as many a letter" in figure.says
    assert len(figure.lines[0].points) == 9
    assert len(figure.lines[1].points) == (6 if bits == "3" else 9)
