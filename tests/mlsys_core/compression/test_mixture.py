"""Bits by sensitivity: the exact choice is that of an integer program and of trying all, and measured costs are the model's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from mlsys_core.compression.apply import layer_names, model_bytes, quantize_gpt
from mlsys_core.compression.methods import RTN
from mlsys_core.compression.mixture import Option, assigned, exact, greedy, parts, sensitivity, totals
from mlsys_core.compression.rtn import Scheme
from mlsys_core.workloads import small_model, text

UNIT = st.lists(st.builds(Option, st.integers(1, 30), st.floats(-1, 10, width=16)), min_size=1, max_size=4)
OPTIONS = st.lists(UNIT, min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(OPTIONS, st.integers(0, 60))
def test_the_exact_choice_is_the_best_of_all_that_fit_and_greed_is_no_better(options, room):
    budget = sum(min(one.nbytes for one in unit) for unit in options) + room
    every = [totals(options, choice) for choice in product(*(range(len(unit)) for unit in options))]
    best = min(one.cost for one in every if one.nbytes <= budget)
    found, quick = totals(options, exact(options, budget)), totals(options, greedy(options, budget))
    assert found.cost == pytest.approx(best, abs=1e-9)
    assert max(found.nbytes, quick.nbytes) <= budget
    assert quick.cost >= best - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_forty_layers_as_an_integer_program_has_them(seed, held):
    rng = np.random.default_rng(seed)
    sizes = rng.choice([16_384, 8_192, 44_032], 42)
    options = [
        [Option(int(size) * bits // 8, float(rng.gamma(0.5) * 4.0**-bits)) for bits in (2, 3, 4, 8)] for size in sizes
    ]
    budget = int(sizes.sum() * 3.3 / 8)
    flat = [one for unit in options for one in unit]
    one_each = np.kron(np.eye(42), np.ones(4))
    solved = milp(
        [one.cost for one in flat],
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint([[one.nbytes for one in flat]], ub=budget)],
        integrality=np.ones(len(flat)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0},
    )
    best = totals(options, exact(options, budget))
    held("compression: bits under a budget", "scipy.optimize.milp (HiGHS)", best.cost / solved.fun, 1, 1e-6)
    quick = totals(options, greedy(options, budget))
    assert best.cost <= quick.cost < 1.1 * best.cost
    assert quick.nbytes <= budget


def test_greed_goes_where_a_byte_saves_most_and_can_miss_the_best():
    options = [[Option(0, 10), Option(6, 4)], [Option(0, 8), Option(5, 2.9)], [Option(0, 8), Option(5, 2.9)]]
    assert greedy(options, 5) == (0, 1, 0) or greedy(options, 5) == (0, 0, 1)
    assert greedy(options, 6) == (0, 0, 1) or greedy(options, 6) == (0, 1, 0)
    assert totals(options, exact(options, 6)) == Option(6, 20)
    assert greedy(options, 100) == exact(options, 100) == (1, 1, 1)


def test_a_budget_below_the_fewest_bits_is_told():
    options = [[Option(5, 1.0), Option(9, 0.0)], [Option(7, 1.0)]]
    for choose in (greedy, exact):
        assert choose(options, 12) == (0, 0)
        with pytest.raises(ValueError, match="take 12 bytes, and 11 may be used"):
            choose(options, 11)


@pytest.fixture(scope="module")
def measured():
    """The trained model's parts at 2, 3, 4 and 8 bits on a little of the text that it was trained on."""
    model = small_model.load()
    codes, held_out = text.split(small_model.VOCABULARY().encode(text.load()))
    a, b = (torch.from_numpy(x.copy()) for x in next(text.batches(codes, 8, 128, 1, seed=1)))
    methods = [RTN(Scheme(bits)) for bits in (2, 3, 4, 8)]
    units = parts(model)
    return model, units, methods, sensitivity(model, units, methods, a, b), held_out


def test_each_part_is_measured_alone(measured):
    model, units, methods, costs, _ = measured
    assert len(units) == 12
    assert sorted(name for names in units.values() for name in names) == sorted(layer_names(model))
    for options in costs.values():
        assert [one.nbytes for one in options] == sorted(one.nbytes for one in options)
        assert abs(options[3].cost) < 5e-4
    two, three, four, _ = (sum(options[i].cost for options in costs.values()) for i in range(4))
    assert two > 3 * three > 9 * four
    at_two_bits = [options[0].cost for options in costs.values()]
    assert max(at_two_bits) > 10 * min(at_two_bits)
    base = model_bytes(model)
    name = "blocks.2.ffn"
    alone = quantize_gpt(model, dict.fromkeys(units[name], methods[1]))
    saved = 2 * sum(model.get_submodule(layer).weight.numel() for layer in units[name])
    assert base - model_bytes(alone) == saved - costs[name][1].nbytes


def test_bits_where_they_matter_beat_the_same_bytes_spent_evenly(measured):
    """On text that neither training nor the measurement saw, with the bytes of three bits everywhere."""
    model, units, methods, costs, held_out = measured
    options = list(costs.values())
    budget = sum(unit[1].nbytes for unit in options)
    a, b = (torch.from_numpy(x.copy()) for x in next(text.batches(held_out, 8, 128, 1, seed=2)))
    losses = {"unrounded": model.loss(a, b).item()}
    for name, choice in (("even", (1,) * 12), ("greedy", greedy(options, budget)), ("exact", exact(options, budget))):
        assert totals(options, choice).nbytes <= budget
        losses[name] = quantize_gpt(model, assigned(units, methods, choice)).loss(a, b).item()
    saved = losses["even"] - max(losses["greedy"], losses["exact"])
    assert saved > 0.15 * (losses["even"] - losses["unrounded"])
