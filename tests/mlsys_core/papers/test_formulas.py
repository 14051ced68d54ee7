"""Formulas of the papers, derived a second time: layouts by trying every proportion, cuts by trying every one."""

from __future__ import annotations

from itertools import combinations
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.papers import alpa, efficient_inference, flash_attention, megatron
from mlsys_core.papers.studies import STUDIES

SECONDS = st.lists(st.floats(0.1, 10), min_size=2, max_size=8)


@settings(max_examples=60, deadline=None)
@given(SECONDS, st.data())
def test_cuts_by_dynamic_programming_are_the_best_of_all(layer_s, data):
    stages, microbatches = data.draw(st.integers(1, len(layer_s))), data.draw(st.integers(1, 40))
    found = alpa.latency(alpa.stages_of(layer_s, alpha := alpa.best_cuts(layer_s, stages)), microbatches)
    every = combinations(range(1, len(layer_s)), stages - 1)
    best = min(alpa.latency(alpa.stages_of(layer_s, cuts), microbatches) for cuts in every)
    assert len(alpha) == stages - 1
    assert found == pytest.approx(best)
    assert found <= alpa.latency(alpa.stages_of(layer_s, alpa.equal_layers(len(layer_s), stages)), microbatches) + 1e-9


def test_where_layers_grow_equal_numbers_of_them_are_slower():
    layer_s = alpa.uneven_layers(16, 8)
    equal, best = (
        alpa.latency(alpa.stages_of(layer_s, cuts), 64)
        for cuts in (alpa.equal_layers(16, 4), alpa.best_cuts(layer_s, 4))
    )
    assert equal > 1.3 * best
    alike = [1.0] * 16
    assert alpa.stages_of(alike, alpa.best_cuts(alike, 4)) == alpa.stages_of(alike, alpa.equal_layers(16, 4))


def test_more_stages_than_layers_are_refused():
    with pytest.raises(ValueError, match="2 layers cannot make 3 stages"):
        alpa.best_cuts([1, 2], 3)


@pytest.mark.parametrize("chips", [4, 16, 64, 256])
def test_the_two_axes_are_cut_in_the_best_proportion(chips):
    """Activations of width E are gathered over X chips and of width F = 4 E over the other n / X: 2 B L (E/X + F X/n)."""
    tokens, embed = 128.0, 512.0
    traffic = [
        2 * tokens * (embed / x + 4 * embed * x / chips) for x in (chips**0.5 * k / 1000 for k in range(1, 2000))
    ]
    assert efficient_inference.weight_stationary_2d(tokens, embed, chips) == pytest.approx(min(traffic), rel=1e-4)


@pytest.mark.parametrize(("tokens", "chips"), [(4096, 64), (65_536, 64), (1 << 20, 256)])
def test_weights_are_gathered_over_the_best_number_of_chips(tokens, chips):
    """Two matrices of E F / n elements are gathered over N chips, and activations cut over the other n / N: 2 E F N/n + 2 B L E/N."""
    embed, wide = 512.0, 2048.0
    best = min(2 * embed * wide * n / chips + 2 * tokens * embed / n for n in (k / 100 for k in range(1, 100_000)))
    assert efficient_inference.weight_gathered(tokens, embed, wide, chips) == pytest.approx(best, rel=1e-3)


def test_which_layout_moves_least_changes_with_the_tokens_in_flight():
    stay = [efficient_inference.weight_stationary_2d(t, 18_432, 64) for t in (2048, 1 << 20)]
    travel = [efficient_inference.weight_gathered(t, 18_432, 73_728, 64) for t in (2048, 1 << 20)]
    assert stay[0] < travel[0]
    assert travel[1] < stay[1]


def test_traffic_falls_as_the_square_of_the_head_over_the_fast_memory():
    """Four times the memory, a quarter of the traffic, where blocks are small against the sequence."""
    n, d = 1 << 14, 64
    small, large = (
        flash_attention.flash_elements(n, d, flash_attention.rows_that_fit(m, d)) for m in (1 << 13, 1 << 15)
    )
    assert small / large == pytest.approx(4, rel=0.05)
    assert flash_attention.standard_elements(n, d) > 4 * n * n
    assert flash_attention.rows_that_fit(1, d) == 1
    assert flash_attention.flops(3, 5) == 4 * 9 * 5


def test_chunks_and_microbatches_shrink_the_bubble():
    assert megatron.bubble(8, 64) == 7 / 64
    assert megatron.bubble(8, 64, 4) == 7 / 256
    assert megatron.bubble(1, 5) == 0


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.slug)
def test_a_figure_is_drawn_at_both_ends_of_every_knob(study):
    for knob in study.knobs:
        for value in (knob.low, knob.high, knob.default):
            chosen, wrong = study.settings({knob.name: f"{value:.17g}"})
            assert wrong == []
            figure = study.figure(chosen)
            assert figure.says.endswith(".")
            for line in figure.lines:
                xs = [x for x, _ in line.points]
                assert xs == sorted(set(xs))
                assert all(0 <= y < inf for _, y in line.points)
                assert not figure.log_y or all(y > 0 for _, y in line.points)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "is no number"),
        ("1e9", "outside of"),
        ("-1", "outside of"),
        ("nan", "outside of"),
        ("8.5", "whole number"),
    ],
)
def test_a_knob_that_cannot_be_is_told_and_keeps_its_default(text, told):
    chosen, (sentence,) = STUDIES[0].settings({"stages": text})
    assert chosen["stages"] == 8
    assert sentence.startswith("Pipeline stages: ")
    assert told in sentence
