"""Task 1, hidden checks: asymmetric grids, corners, the error's bound, and the perplexity of a model whose weights are rounded."""

from __future__ import annotations

import numpy as np
import pytest
import rtn_oracle as oracle
from answers import field
from hidden import language
from scaling_oracle import fake_quantize

pytestmark = [pytest.mark.task("1"), pytest.mark.hidden]

EVERY = [{"per": "tensor"}, {"per": "channel"}, {"per": "group", "group": 8}]


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "The zero is round(-low / scale), and the codes are round(w / scale) + zero, cut to 0 … 2^bits - 1.", handout="3.4"
)
def test_asymmetric(student, rng, expect):
    """quantize: asymmetric, by tensor, channel and group"""
    for settings in EVERY:
        bits = int(rng.integers(2, 9))
        w = rng.normal(size=(4, 24)) + rng.normal(size=(4, 1))
        got = student.call("quantized", w=w, bits=bits, symmetric=False, **settings)
        what = f"{bits} bits by {settings['per']}"
        oracle.checked(expect, got, w, bits, what, symmetric=False, **settings)


@pytest.mark.points(0.75)
@pytest.mark.hint("One grid for the whole matrix: one scale and one zero, (1, 1).", handout="3.4")
def test_by_tensor(student, rng, expect):
    """quantize: one symmetric grid for a matrix, in float32"""
    w = (rng.normal(size=(7, 9)) * rng.uniform(0.1, 3, size=(7, 1))).astype(np.float32)
    oracle.checked(expect, student.call("quantized", w=w, bits=5, per="tensor"), w, 5, per="tensor")


@pytest.mark.points(1)
@pytest.mark.hint(
    "A grid reaches from at most 0 to at least 0; a run of zeros has no width, so its scale is 1.", handout="3.4"
)
def test_corners(student, rng, expect):
    """quantize: zeros, constants, only negative weights, only positive ones"""
    size = np.abs(rng.normal(size=(5, 16))) + 1
    w = np.stack([np.zeros(16), np.full(16, 2.5), -size[0], size[1], np.full(16, -1.5), np.eye(16)[3] * size[2]])
    for symmetric in (True, False):
        for settings in EVERY[1:]:
            got = student.call("quantized", w=w, bits=4, symmetric=symmetric, **settings)
            what = f"{'symmetric' if symmetric else 'asymmetric'} by {settings['per']}"
            oracle.checked(expect, got, w, 4, what, symmetric=symmetric, **settings)


@pytest.mark.points(1)
@pytest.mark.hint("The last run of a row has what is left, and a grid of its own.", handout="3.4")
def test_a_group_that_does_not_divide(student, rng, expect):
    """quantize and dequantize: a shorter last run"""
    for symmetric in (True, False):
        group = int(rng.integers(5, 12))
        w = rng.normal(size=(3, 3 * group + int(rng.integers(1, group))))
        settings = {"per": "group", "group": group, "symmetric": symmetric}
        got = oracle.checked(expect, student.call("quantized", w=w, bits=4, **settings), w, 4, **settings)
        codes = {name: got[name] for name in ("q", "scale", "zero", "group")}
        expect.near(student.call("dequantized", **codes), oracle.weights(got), "float64", what="weights")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Both grids hold their extremes, so no weight is further than half a scale from its value.", handout="3.5"
)
def test_the_bound(student, rng, expect):
    """dequantize(quantize(w)): no error above half a scale"""
    for symmetric in (True, False):
        for settings in EVERY:
            bits = int(rng.integers(2, 9))
            w = rng.standard_t(3, size=(6, 32))
            got = student.call("quantized", w=w, bits=bits, symmetric=symmetric, **settings)
            codes = {name: field(expect, got, name) for name in ("q", "scale", "zero", "group")}
            error = np.abs(student.call("dequantized", **codes) - w)
            run = np.arange(32) // {"group": 8}.get(settings["per"], 32)
            expect.that(
                isinstance(codes["scale"], np.ndarray) and codes["scale"].shape[1] == run[-1] + 1, "a run has no scale"
            )
            bound = np.broadcast_to(codes["scale"][:, run] / 2, w.shape)
            want = oracle.quantized(w, bits, symmetric=symmetric, **settings)["scale"]
            expect.close(codes["scale"], want, what="scales", rtol=1e-12)
            expect.that(
                (error <= bound * (1 + 1e-9)).all(),
                f"an error is {float((error / bound).max()):.3g} times half a scale, at {bits} bits by {settings['per']}",
            )


@pytest.mark.points(0.75)
@pytest.mark.hint("What lies on a grid already must stay where it is, code by code.", handout="3.5")
def test_rounding_twice(student, rng, expect):
    """quantize: a second time nothing changes"""
    for symmetric in (True, False):
        for settings in EVERY:
            w = rng.normal(size=(5, 32))
            first = student.call("quantized", w=w, bits=4, symmetric=symmetric, **settings)
            first = oracle.checked(expect, first, w, 4, symmetric=symmetric, **settings)
            again = oracle.weights(first)
            second = student.call("quantized", w=again, bits=4, symmetric=symmetric, **settings)
            expect.close(field(expect, second, "q"), first["q"], what="codes the second time", rtol=0, atol=0)


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "The grader rebuilds the weights from your codes, scales and zeros: check the signs of zeros, and which run a column is in.",
    handout="3.4",
)
def test_perplexity(student, rng, expect, measure):
    """Perplexity of the small model with weights of 4 bits, over that of a reference"""
    model, names, group = language.load(), language.matrices(), 32
    settings = {"symmetric": False, "per": "group", "group": group}
    answer = student.call("quantized_all", weights=[model[name] for name in names], bits=4, **settings)
    ours, theirs = dict(model), dict(model)
    for name, got in zip(names, language.weights_of(expect, answer, len(names)), strict=True):
        parts = -(-model[name].shape[1] // group)
        found = oracle.usable(expect, got, model[name], 4, parts=parts)
        theirs[name] = oracle.weights(found).astype(np.float32)
        runs = oracle.runs(model[name].shape[1], "group", group)
        ours[name] = np.concatenate([fake_quantize(model[name][:, run], 4, run.stop - run.start) for run in runs], 1)
    codes = language.windows(rng, 6, held_out=True)
    exact, reference, found = (language.predictions(one, codes) for one in (model, ours, theirs))
    says = language.told(codes, {"before": exact, "reference": reference, "yours": found})
    value = language.perplexity_of(found, codes) / language.perplexity_of(reference, codes)
    measure.ratio(f"perplexity / the reference's ({says})", value, full_at=1.002, zero_at=1.05)
