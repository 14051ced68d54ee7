"""The small model with outlier channels under every method: perplexities stand in the order that theory gives, with margins."""

from __future__ import annotations

from math import exp, log
from statistics import mean

import pytest

from mlsys_core.compression.ladder import METHODS, Rung, Text, climb, recovered
from mlsys_core.compression.outliers import inject_outliers
from mlsys_core.workloads import small_model, text


@pytest.fixture(scope="module")
def rungs():
    codes, held_out = text.split(small_model.VOCABULARY().encode(text.load()))
    return climb(inject_outliers(small_model.load()), Text(codes, held_out, time=128, windows=12, judged=2))


def lost(rungs, name):
    """Nats a letter over the exact model, for each draw of the calibration's text."""
    return [loss - rungs["exact"].losses[0] for loss in rungs[name].losses]


def test_eight_bits_a_weight_cost_next_to_nothing(rungs):
    assert abs(lost(rungs, "RTN 8")[0]) < 0.01


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("RTN 8", "RTN 4"),
        ("RTN 4", "RTN 3"),
        ("GPTQ 4", "RTN 4"),
        ("AWQ 4", "RTN 4"),
        ("GPTQ 3", "RTN 3"),
        ("AWQ 3", "RTN 3"),
        ("GPTQ 4", "GPTQ 3"),
        ("AWQ 4", "AWQ 3"),
        ("SmoothQuant W8A8", "plain W8A8"),
    ],
)
def test_each_draw_of_the_calibration_gives_the_order_of_theory_with_a_margin(rungs, better, worse):
    """The worst draw of the better method loses at most two thirds of what the best draw of the worse one does."""
    assert max(lost(rungs, better)) < 2 / 3 * min(lost(rungs, worse))
    assert rungs[better].spread < 0.1 * (rungs[worse].perplexity - rungs["exact"].perplexity)


def test_smoothing_brings_nine_tenths_of_the_outliers_damage_back(rungs):
    assert lost(rungs, "plain W8A8")[0] > 0.1
    assert recovered(rungs["exact"], rungs["plain W8A8"], rungs["SmoothQuant W8A8"]) > 0.9


def test_methods_that_look_at_text_are_drawn_three_times_and_the_others_once(rungs):
    assert list(rungs) == list(METHODS)
    for name, rung in rungs.items():
        looks = name.startswith(("GPTQ", "AWQ", "Smooth"))
        assert len(rung.losses) == (3 if looks else 1)
        assert (rung.spread > 0) is looks
    bytes_of = {name: rung.nbytes for name, rung in rungs.items()}
    assert bytes_of["exact"] > bytes_of["RTN 8"] > bytes_of["RTN 4"] > bytes_of["RTN 3"]
    assert bytes_of["RTN 4"] == bytes_of["GPTQ 4"] == bytes_of["AWQ 4"]


def test_perplexity_spread_and_recovery_by_hand():
    exact, plain, rescued = (
        Rung(name, 1, losses) for name, losses in (("a", (1.0,)), ("b", (2.0,)), ("c", (1.1, 1.3)))
    )
    assert rescued.perplexity == pytest.approx(exp(1.2))
    values = [exp(1.1), exp(1.3)]
    assert rescued.spread == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert exact.spread == 0
    assert recovered(exact, plain, rescued) == pytest.approx(0.8)
    assert log(rescued.perplexity) == pytest.approx(mean(rescued.losses))
