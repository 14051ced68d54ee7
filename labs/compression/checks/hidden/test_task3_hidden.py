"""Task 3, hidden checks: blocks, dead and dependent inputs, the order by activations, groups, and what it saves in a model."""

from __future__ import annotations

import gptq_oracle as oracle
import numpy as np
import pytest
from hidden import language

pytestmark = [pytest.mark.task("3"), pytest.mark.hidden]


@pytest.mark.points(1)
@pytest.mark.hint(
    "The triangle is of the inverse, and its row i holds what column i does to later ones.", handout="3.10"
)
def test_obq_of_other_sizes(student, rng, expect):
    """gptq: optimal brain quantization of 12 to 40 columns, 2 to 8 bits"""
    for k in (12, 40):
        bits = int(rng.integers(2, 9))
        w, h = (
            rng.normal(size=(4, k)) * rng.uniform(0.1, 2, size=(4, 1)),
            oracle.second_moments(oracle.inputs(rng, 3 * k, k)),
        )
        got = student.call("gptq", w=w, h=h, bits=bits)
        oracle.compared(expect, got, oracle.obq(w, h, bits), f"{k} columns at {bits} bits")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "When a block is done, all its errors times the rows of the triangle come off the columns behind it.",
    handout="3.11",
)
def test_blocks(student, rng, expect):
    """gptq: the same for every size of the block"""
    k = 30
    w, h = rng.normal(size=(5, k)), oracle.second_moments(oracle.inputs(rng, 100, k))
    want = oracle.obq(w, h, 3)
    for block in (1, 7, 15, 29, 64):
        oracle.compared(expect, student.call("gptq", w=w, h=h, bits=3, block=block), want, f"blocks of {block}")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Put 1 on the diagonal of inputs that are always 0 and set their weights to 0; then damp by a part of the mean diagonal.",
    handout="3.11",
)
def test_dead_and_dependent_inputs(student, rng, expect):
    """inverse_factor and gptq: fewer samples than inputs, and inputs that are always 0"""
    x = oracle.inputs(rng, 6, 14)
    x[:, rng.choice(14, 3, replace=False)] = 0
    h, damp = oracle.second_moments(x), float(rng.uniform(0.02, 0.1))
    lower = np.linalg.cholesky(np.linalg.inv(oracle.damped(h, damp)))
    # worse conditioned than in public: what no input has shown stands against the damping alone
    expect.close(student.call("factor", h=h, damp=damp), lower.T, what="triangle", rtol=1e-6, atol=1e-8)
    w = rng.normal(size=(4, 14))
    got = student.call("gptq", w=w, h=h, bits=4, damp=damp)
    oracle.compared(expect, got, oracle.obq(w, h, 4, damp=damp))


@pytest.mark.points(2)
@pytest.mark.hint(
    "Sort by falling diagonal, permute weights and Hessian alike, and put codes back where their columns came from.",
    handout="3.11",
)
def test_order(student, rng, expect):
    """gptq: columns by falling diagonal of the Hessian"""
    for group, block in ((0, 128), (0, 8), (8, 16)):
        k = 24
        w, h = rng.normal(size=(5, k)), oracle.second_moments(oracle.inputs(rng, 80, k))
        got = student.call("gptq", w=w, h=h, bits=3, act_order=True, group=group, block=block)
        want = oracle.obq(w, h, 3, act_order=True, group=group)
        oracle.compared(expect, got, want, f"group {group}, block {block}")


@pytest.mark.points(2)
@pytest.mark.hint(
    "When a run begins, find its grid from its columns as they are now, updates of this block included.", handout="3.11"
)
def test_groups(student, rng, expect):
    """gptq: a grid for each run of columns, and a shorter last run"""
    for k, group, block in ((24, 8, 8), (30, 8, 16), (32, 4, 32)):
        w, h = rng.normal(size=(4, k)), oracle.second_moments(oracle.inputs(rng, 90, k))
        got = student.call("gptq", w=w, h=h, bits=4, group=group, block=block)
        oracle.compared(
            expect, got, oracle.obq(w, h, 4, group=group), f"{k} columns in runs of {group}, blocks of {block}"
        )


def _hessians(rng):
    """The small model, and what the inputs of its matrices say."""
    model = language.load()
    seen = language.inputs(model, language.windows(rng, 8, held_out=False))
    return model, {name: oracle.second_moments(x.astype(np.float64)) for name, x in seen.items()}


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Each column's error must reach all later columns, through the triangle of the damped inverse.", handout="3.10"
)
def test_error_of_a_layer(student, rng, expect, measure):
    """Error of the outputs of three layers at 4 bits, over that of rounding to nearest"""
    model, hessians = _hessians(rng)
    names = [f"blocks.{rng.integers(6)}.{one}.weight" for one in ("attn.q_proj", "ffn.up_proj", "ffn.down_proj")]
    found, best = [], []
    for name in names:
        w, h = model[name].astype(np.float64), hessians[name]
        got = oracle.usable(expect, student.call("gptq", w=w, h=h, bits=4), w, 4, 0)
        plain = oracle.output_error(w, oracle.weights(oracle.nearest(w, 4)), h)
        found.append(oracle.output_error(w, oracle.weights(got), h) / plain)
        best.append(oracle.output_error(w, oracle.weights(oracle.obq(w, h, 4)), h) / plain)
    value, reference = (float(np.exp(np.mean(np.log(one)))) for one in (found, best))
    name = f"squared error / rounding's (ours {reference:.3f})"
    measure.ratio(name, value, full_at=1.02 * reference, zero_at=1.0)


@pytest.mark.points(1.5)
@pytest.mark.measured
@pytest.mark.hint(
    "It is your gptq on every matrix of the model: look at the checks of one layer first.", handout="3.10"
)
def test_three_bits(student, rng, expect, measure):
    """The small model at 3 bits: the damage, over that of rounding to nearest"""
    model, hessians = _hessians(rng)
    names = language.matrices()
    wide = {name: model[name].astype(np.float64) for name in names}
    answer = student.call(
        "gptq_of_all", weights=list(wide.values()), hessians=[hessians[name] for name in names], bits=3, act_order=True
    )
    yours, plain, ours = dict(model), dict(model), dict(model)
    for name, got in zip(names, language.weights_of(expect, answer, len(names)), strict=True):
        w, h = wide[name], hessians[name]
        yours[name] = oracle.weights(oracle.usable(expect, got, w, 3, 0)).astype(np.float32)
        plain[name] = oracle.weights(oracle.nearest(w, 3)).astype(np.float32)
        ours[name] = oracle.weights(oracle.obq(w, h, 3, act_order=True)).astype(np.float32)
    codes = language.windows(rng, 6, held_out=True)
    exact, nearest, reference, found = (language.predictions(one, codes) for one in (model, plain, ours, yours))
    says = language.told(codes, {"before": exact, "rounding": nearest, "ours": reference, "yours": found})
    value, best = (language.damage(exact, nearest, one) for one in (found, reference))
    measure.ratio(f"damage / rounding's ({says})", value, full_at=1.05 * best, zero_at=1.0)
