"""The small model: methods stand in the order of their papers, adapters make good for most of a damage, a teacher helps."""

from __future__ import annotations

import pytest

from mlsys_core.compression.pruning import METHODS
from mlsys_core.compression.trials import Recovery, distillation_trial, lora_trial, sparsity_trial, spread

pytestmark = pytest.mark.xdist_group("compression trials")


@pytest.mark.parametrize("seed", range(3))
def test_methods_lose_less_in_the_order_of_the_papers(seed):
    losses = sparsity_trial(seed, windows=4)
    dense = losses["dense", ""]
    for pattern in ("50 %", "2:4"):
        random, magnitude, wanda, sparsegpt = (losses[pattern, method] for method in METHODS)
        assert dense < sparsegpt < wanda < magnitude < random
    for method in METHODS:
        assert losses["50 %", method] < losses["2:4", method]


def test_adapters_make_good_for_most_of_what_three_bits_cost():
    found = lora_trial(0, steps=200, batch=4, time=32)
    assert found.damaged > found.before + 0.1
    assert found.recovered > 0.5


def test_a_student_learns_more_with_a_teacher_than_alone():
    alone, helped = distillation_trial(0, steps=120)
    assert helped < alone - 0.02


def test_recovery_is_the_part_of_the_damage_that_is_gone():
    assert Recovery(before=1.0, damaged=3.0, after=1.5).recovered == 0.75
    assert spread([1.0, 2.0, 3.0]) == "2.000 (1.000 to 3.000)"
