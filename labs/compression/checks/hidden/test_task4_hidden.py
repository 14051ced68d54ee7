"""Task 4, hidden checks: nothing changes before rounding, whole numbers are exact, corners, and what a model with outliers gets back."""

from __future__ import annotations

import numpy as np
import pytest
import scaling_oracle as oracle
from answers import field, number, pair
from hidden import language

pytestmark = [pytest.mark.task("4"), pytest.mark.hidden]

ALPHA = 0.5
SAME = 1e-6  # nats: float32 alone moves predictions by some 1e-10


def _moved(expect, got, norm, weights):
    """The new norm and matrices, of the right shapes and dtypes, and finite."""
    new_norm, new_weights = field(expect, got, "norm"), field(expect, got, "weights")
    expect.that(isinstance(new_weights, list) and len(new_weights) == len(weights), "a matrix is missing")
    for what, new, old in zip(
        ["norm", *["matrix"] * len(weights)], [new_norm, *new_weights], [norm, *weights], strict=True
    ):
        same = isinstance(new, np.ndarray) and new.shape == old.shape and new.dtype == old.dtype
        expect.that(same and np.isfinite(new).all(), f"the new {what} should be finite, {old.dtype} {old.shape}")
    return new_norm, new_weights


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Divide the norm by s and multiply the columns of every matrix by it; s looks at the largest weight of all matrices.",
    handout="3.13",
)
def test_nothing_changes_before_rounding(student, rng, expect):
    """smooth: three matrices after one norm compute what they did, with the scales of the definition"""
    norm, x_max, alpha = rng.normal(size=16), rng.uniform(0.1, 80, size=16), float(rng.uniform(0.2, 0.8))
    weights = [rng.normal(size=(n, 16)) * scale for n, scale in ((16, 1.0), (8, 4.0), (5, 0.2))]
    got = student.call("smoothed", norm=norm, weights=weights, x_max=x_max, alpha=alpha)
    new_norm, new_weights = _moved(expect, got, norm, weights)
    x = rng.normal(size=(7, 16))
    for old, new in zip(weights, new_weights, strict=True):
        expect.near((x * new_norm) @ new.T, (x * norm) @ old.T, "float64", what="outputs", roundings=64)
    s = oracle.smooth_scales(x_max, np.abs(np.concatenate(weights)).max(0), alpha)
    expect.close(new_norm, norm / s, what="weights of the norm", rtol=1e-9, atol=0)
    expect.that(field(expect, got, "kept") is True, "an input changed")


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "An input that is always 0, or that no weight reads, must not divide by 0: both are at least 1e-5.", handout="3.13"
)
def test_empty_channels(student, rng, expect):
    """smooth_scales and smooth: inputs that are always 0, weights that are"""
    x_max, w_max = rng.uniform(1, 9, size=6), rng.uniform(0.1, 1, size=6)
    x_max[1], w_max[3], x_max[4], w_max[4] = 0, 0, 0, 0
    for alpha in (0.3, 1.0, 0.0):
        got = student.call("scales", x_max=x_max, w_max=w_max, alpha=alpha)
        expect.close(got, oracle.smooth_scales(x_max, w_max, alpha), what=f"scales at {alpha}", rtol=1e-9, atol=0)
    norm, weights = rng.normal(size=6).astype(np.float32), [rng.normal(size=(4, 6)).astype(np.float32)]
    weights[0][:, 3] = 0
    got = student.call("smoothed", norm=norm, weights=weights, x_max=x_max.astype(np.float32), alpha=0.5)
    new_norm, (new,) = _moved(expect, got, norm, weights)
    expect.near(new_norm * new, norm * weights[0], "float32", what="products of norm and matrix")


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "Sums of thousands of products of int8 reach beyond 2^24, where float32 leaves numbers out.", handout="3.12"
)
def test_whole_numbers_are_exact(student, rng, expect):
    """int8_matmul: long sums, to the last unit"""
    for k in (3, 4096):
        a, b = (rng.integers(-127, 128, size=(n, k)).astype(np.int8) for n in (3, 5))
        a[0], b[0] = 127, 127
        b[0, -1] = 126
        want = (a.astype(np.int64) @ b.astype(np.int64).T).astype(np.int32)
        expect.close(student.call("accumulated", a=a, b=b), want, what=f"sums of {k}", rtol=0, atol=0)


@pytest.mark.points(0.5)
@pytest.mark.hint("A row of zeros has scale 1, and its result is 0.", handout="3.12")
def test_rows_of_zeros(student, rng, expect):
    """quantize_rows and w8a8_linear: tokens and outputs that are 0, in float32"""
    x, w = (rng.normal(size=(n, 12)).astype(np.float32) for n in (4, 3))
    x[2], w[1] = 0, 0
    codes, scale = pair(expect, student.call("rows", x=x))
    want = oracle.rows(x)
    expect.close(scale, want[1], what="scales", rtol=1e-6, atol=0)
    expect.close(codes, want[0], what="codes", rtol=0, atol=0)
    expect.near(student.call("linear", x=x, w=w), oracle.linear(x, w), "float32", what="result")


@pytest.mark.points(1)
@pytest.mark.hint("Of equal errors the first; a mean of 0 counts as 1e-4; α = 1 is not tried.", handout="3.14")
def test_awq_of_other_inputs(student, rng, expect):
    """awq_search: an input that is always 0, equal inputs, few steps"""
    for steps in (1, 4, 20):
        w, x = rng.normal(size=(5, 24)), rng.normal(size=(30, 24)) * np.exp(1.5 * rng.normal(size=24))
        x[:, 2] = 0
        if steps == 4:
            x = np.sign(x) + (x == 0)
        got = student.call("awq", w=w, x=x, bits=4, group=8, steps=steps)
        scales, alpha, error = oracle.awq(w, x, 4, 8, steps)
        said = number(expect, field(expect, got, "alpha"), "the exponent")
        expect.equal(round(said, 9), round(alpha, 9), what=f"exponent of {steps} steps")
        expect.close(field(expect, got, "scales"), scales, what=f"scales of {steps} steps", rtol=1e-9, atol=0)
        expect.close(field(expect, got, "error"), error, what=f"error of {steps} steps", rtol=1e-6, atol=0)


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Without rounding the model must be what it was; with it, no input may be much larger than the others any more.",
    handout="3.13",
)
def test_outliers_smoothed(student, rng, expect, measure):
    """A model with outliers in eight bits: the share of the damage that is left"""
    model = language.with_outliers(language.load(), rng)
    seen = language.inputs(model, language.windows(rng, 4, held_out=False))
    places, where = [], []
    for block in range(language.LAYERS):
        for norm, readers in language.AFTER_NORM.items():
            names = [f"blocks.{block}.{one}.weight" for one in (norm, *readers)]
            x_max = np.abs(seen[names[1]]).max(0)
            places.append({"norm": model[names[0]], "weights": [model[one] for one in names[1:]], "x_max": x_max})
            where.append(names)
    answer = language.weights_of(expect, student.call("smoothed_all", places=places, alpha=ALPHA), len(places))
    yours = dict(model)
    for names, place, got in zip(where, places, answer, strict=True):
        new_norm, new_weights = _moved(expect, got, place["norm"], place["weights"])
        yours |= dict(zip(names, [new_norm, *new_weights], strict=True))
    codes = language.windows(rng, 6, held_out=True)
    exact, same = (language.predictions(one, codes) for one in (model, yours))
    moved = language.divergence(exact, same)
    expect.that(moved < SAME, f"without rounding the model changed: its predictions are {moved:.2g} nats off")
    plain, found = (language.predictions(one, codes, language.eight_bits) for one in (model, yours))
    says = language.told(codes, {"before": exact, "rounding": plain, "smoothed": found})
    measure.ratio(f"share of the damage ({says})", language.damage(exact, plain, found), full_at=0.1, zero_at=1.0)


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint("The scales with the smallest error of the outputs, for every matrix of the model.", handout="3.14")
def test_outliers_by_awq(student, rng, expect, measure):
    """A model with outliers at three bits: the damage, over that of rounding to nearest"""
    model, bits, group, steps = language.with_outliers(language.load(), rng), 3, 32, 10
    seen = language.inputs(model, language.windows(rng, 1, held_out=False))
    names = [one for one in language.matrices() if not one.endswith("down_proj.weight")]
    inputs = [seen[one] for one in names]
    answer = student.call(
        "awq_of_all", weights=[model[one] for one in names], inputs=inputs, bits=bits, group=group, steps=steps
    )
    yours, plain, ours = dict(model), dict(model), dict(model)
    for name, x, s in zip(names, inputs, language.weights_of(expect, answer, len(names)), strict=True):
        w = model[name]
        fits = isinstance(s, np.ndarray) and s.shape == (w.shape[1],) and np.isfinite(s).all() and (s > 0).all()
        expect.that(fits, "scales should be positive, one for each input")
        best = oracle.awq(w, x, bits, group, steps)[0]
        plain[name] = oracle.fake_quantize(w, bits, group)
        for into, scale in ((yours, s.astype(np.float32)), (ours, best)):
            into[name] = (oracle.fake_quantize(w * scale, bits, group) / scale).astype(np.float32)
    codes = language.windows(rng, 6, held_out=True)
    exact, nearest, reference, found = (language.predictions(one, codes) for one in (model, plain, ours, yours))
    says = language.told(codes, {"before": exact, "rounding": nearest, "ours": reference, "yours": found})
    value, best = (language.damage(exact, nearest, one) for one in (found, reference))
    measure.ratio(f"damage / rounding's ({says})", value, full_at=1.05 * best, zero_at=1.0)
