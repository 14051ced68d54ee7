"""Task 5, hidden checks: ties and corners of masks, SparseGPT against its definition, two of four, and a pruned language model."""

from __future__ import annotations

import numpy as np
import pytest
import sparsity_oracle as oracle
from answers import field
from hidden import language, surgeon

pytestmark = [pytest.mark.task("5"), pytest.mark.hidden]


@pytest.mark.points(1)
@pytest.mark.hint(
    "Count what goes with round(); a stable sort makes the first of equals go first; n and m may be any numbers.",
    handout="3.20",
)
def test_ties_and_corners(student, rng, expect):
    """magnitude_mask and n_of_m_mask: equal scores, sparsity 0 and 1, odd sizes, other patterns"""
    weight = rng.integers(-3, 4, size=(7, 9)).astype(np.float64)
    for sparsity in (0.0, 0.37, 0.5, 0.9, 1.0):
        got = student.call("largest_mask", weight=weight, sparsity=sparsity)
        expect.equal(got, oracle.largest(weight, sparsity), what=f"magnitude_mask with ties, sparsity {sparsity}")
    for n, m in ((1, 4), (2, 4), (4, 8), (3, 5), (3, 3)):
        scores = rng.integers(0, 3, size=(4, 3 * m)).astype(np.float64)
        got = student.call("group_mask", scores=scores, n=n, m=m)
        expect.equal(got, oracle.n_of_m(scores, n, m), what=f"{n} of {m} with ties")
    got = student.call("group_mask", scores=rng.random((4, 6)), n=2, m=4)
    expect.that(isinstance(got, str), "6 columns make no groups of 4, in whole rows either: raise a ValueError")


@pytest.mark.points(1)
@pytest.mark.hint(
    "A row loses exactly round(sparsity · in) weights; an input that is always zero makes all scores of its column zero.",
    handout="3.21",
)
def test_wanda_corners(student, rng, expect):
    """wanda_mask: dead and huge inputs, uneven shares, few inputs"""
    for sparsity in (0.25, 0.6, 0.85):
        width = int(rng.integers(9, 24))
        weight = rng.normal(size=(7, width)) * rng.uniform(0.1, 4, size=(7, 1))
        inputs = rng.normal(size=(int(rng.integers(3, 40)), width)) * rng.lognormal(0, 1, size=width) + rng.normal(
            size=width
        )
        inputs[:, rng.integers(width, size=2)] = 0
        inputs[:, rng.integers(width)] *= 60
        scores, mask = oracle.by_inputs(weight, inputs, sparsity)
        got = student.call("wanda", weight=weight, inputs=inputs, sparsity=sparsity)
        expect.close(field(expect, got, "scores"), scores, what="scores", rtol=1e-9)
        expect.equal(field(expect, got, "mask"), mask, what=f"mask, sparsity {sparsity}")


@pytest.mark.points(1)
@pytest.mark.hint(
    "A row of which nothing stays is zero, one of which all stays is unchanged; rows have masks of their own.",
    handout="3.22",
)
def test_any_mask(student, rng, expect):
    """least_squares_on_mask: empty rows, whole rows, strongly correlated inputs"""
    for width in (1, 7, 24):
        mask = rng.random((8, width)) < rng.uniform(0.2, 0.8)
        mask[2], mask[5] = False, True
        weight = rng.normal(size=(8, width))
        inputs = oracle.correlated(rng, 4 * width, width, common=2)
        got = student.call("best_on_mask", weight=weight, hessian=inputs.T @ inputs, mask=mask)
        expect.close(got, oracle.fitted(weight, inputs, mask), what=f"weights, {width} columns", rtol=1e-5, atol=1e-6)


def compare(student, expect, weight, hessian, what, **how):
    """Weights and mask of a call against the definition."""
    got = student.call("pruned", weight=weight, hessian=hessian, **how)
    pattern = how.pop("pattern", None)
    how = {"sparsity": 0.5} | how
    new, mask = surgeon.pruned(weight, hessian, pattern=tuple(pattern) if pattern else None, **how)
    expect.equal(field(expect, got, "mask"), mask, what=f"mask, {what}")
    found = field(expect, got, "weight")
    expect.close(found, np.where(mask, new, 0), what=f"weights, {what}", rtol=1e-6, atol=1e-7)
    expect.that(not found[~mask].any(), f"{what}: weights off the mask are not exactly zero")
    expect.that(field(expect, got, "kept") is True, f"{what}: an input changed")


@pytest.mark.points(1.75)
@pytest.mark.hint(
    "The block's mask is chosen when all columns before it have been dealt with, and their errors have reached it.",
    handout="3.23",
)
def test_sparsegpt(student, rng, expect):
    """sparsegpt: blocks, uneven ends, other shares, fewer samples than columns"""
    for width, samples, sparsity, block, damp in (
        (24, 80, 0.5, 8, 0.01),
        (21, 60, 0.3, 8, 0.01),
        (20, 9, 0.7, 32, 0.1),
    ):
        weight = rng.normal(size=(6, width))
        inputs = rng.normal(size=(samples, width)) @ rng.normal(size=(width, width))
        how = {"sparsity": sparsity, "block": block, "damp": damp}
        compare(student, expect, weight, inputs.T @ inputs, f"{width} columns in blocks of {block}", **how)


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "With a pattern the mask of a group is chosen at its first column, row by row, and not at the block's.",
    handout="3.23",
)
def test_sparsegpt_with_a_pattern(student, rng, expect):
    """sparsegpt: 2 of 4 and 4 of 8"""
    for pattern, block in (((2, 4), 16), ((1, 4), 8), ((4, 8), 16)):
        weight = rng.normal(size=(6, 24))
        inputs = rng.normal(size=(90, 24)) @ rng.normal(size=(24, 24))
        compare(student, expect, weight, inputs.T @ inputs, f"{pattern}", pattern=list(pattern), block=block)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Groups with one value or none store zeros too, at any places that rise; more than two values are an error.",
    handout="3.24",
)
def test_two_of_four(student, rng, expect):
    """compress_2_4 and expand_2_4: groups with fewer values, errors, and a product"""
    weight = oracle.two_of_four(rng, 6, 32)
    weight[rng.random(weight.shape) < 0.3] = 0
    weight[1], weight[2, :7] = 0, 0
    got = student.call("compressed", weight=weight)
    values, positions = (field(expect, got, name) for name in ("values", "positions"))
    expect.equal(oracle.expanded(expect, values, positions, weight.shape), weight, what="what is stored")
    expect.equal(field(expect, got, "back"), weight, what="expand_2_4")
    full = oracle.two_of_four(rng, 3, 16)
    full[1, 4:8] = [1, 2, 0, 3]
    expect.that(
        isinstance(student.call("compressed", weight=full), str), "a group with three values: raise a ValueError"
    )
    narrow = oracle.two_of_four(rng, 3, 12)
    expect.that(isinstance(student.call("compressed", weight=narrow), str), "12 columns: raise a ValueError")
    weight, x = oracle.two_of_four(rng, 5, 16, "float32"), rng.normal(size=(7, 16)).astype(np.float32)
    want = x.astype(np.float64) @ weight.T
    expect.near(student.call("sparse_product", weight=weight, x=x), want, "float32", what="matmul_2_4")


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "SparseGPT loses least, then Wanda, then magnitudes. If yours does not, look at the errors that reach the next block.",
    handout="3.23",
)
def test_loss_of_a_pruned_model(student, rng, expect, measure):
    """A language model at one half and at 2 of 4: the damage by SparseGPT, over that by magnitudes"""
    whole, text = language.load(), language.windows(rng, 6, held_out=True)
    inputs = language.inputs(whole, language.windows(rng, 8, held_out=False), every=2)
    exact, shares, told = language.predictions(whole, text), [], []
    for pattern in (None, [2, 4]):
        models = pruned_models(student, expect, inputs, pattern)
        found = {name: language.predictions(whole | model, text) for name, model in models.items()}
        lost = {name: language.divergence(exact, one) for name, one in found.items()}
        what = "2 of 4" if pattern else "one half"
        order = ", ".join(f"{name} {nats:.3f}" for name, nats in lost.items())
        expect.that(
            lost["magnitude"] > lost["Wanda"] > lost["SparseGPT"],
            f"{what}: the damage is not in the order magnitude, Wanda, SparseGPT: {order}",
        )
        shares.append(lost["SparseGPT"] / lost["magnitude"])
        told.append(f"{what}: {order}")
    measure.ratio(
        f"damage by SparseGPT / by magnitudes (nats from the whole model's predictions, {'; '.join(told)})",
        float(np.prod(shares)) ** 0.5,
        full_at=FULL,
        zero_at=1.0,
    )


FULL = 0.55


def blocks():
    """Names of the matrices, block by block."""
    names = language.matrices()
    return [[name for name in names if name.startswith(f"blocks.{at}.")] for at in range(language.LAYERS)]


def pruned_models(student, expect, inputs, pattern):
    """The blocks' matrices by the three ways; magnitudes are the judge's, over each matrix."""
    models, whole = {"magnitude": {}, "Wanda": {}, "SparseGPT": {}}, language.load()
    for names in blocks():
        layers = [{"weight": whole[name], "inputs": inputs[name]} for name in names]
        found = student.call("pruned_layers", layers=layers, pattern=pattern, sparsity=0.5)
        for name, one in zip(names, language.weights_of(expect, found, len(names)), strict=True):
            weight = whole[name]
            mask = oracle_mask(weight, pattern)
            models["magnitude"][name] = np.where(mask, weight, 0)
            models["Wanda"][name] = np.where(kept(expect, field(expect, one, "wanda"), weight, pattern), weight, 0)
            mask, new = kept(expect, field(expect, one, "mask"), weight, pattern), field(expect, one, "weight")
            expect.that(isinstance(new, np.ndarray) and new.shape == weight.shape, f"{name}: no weights of its shape")
            expect.that(
                new.dtype == np.float32 and np.isfinite(new).all() and not new[~mask].any(),
                f"{name}: weights off the mask",
            )
            models["SparseGPT"][name] = new
    return models


def oracle_mask(weight, pattern):
    """The magnitudes' mask, without a loop over groups."""
    if not pattern:
        return np.abs(weight) >= np.sort(np.abs(weight), axis=None)[weight.size // 2]
    groups = np.abs(weight).reshape(len(weight), -1, 4)
    return (groups >= np.sort(groups, -1)[..., 2:3]).reshape(weight.shape)


def kept(expect, mask, weight, pattern):
    """A mask that must remove one half, or two of each four."""
    expect.that(
        isinstance(mask, np.ndarray) and mask.shape == weight.shape and mask.dtype == bool,
        "no mask of the weight's shape",
    )
    if pattern:
        expect.that((mask.reshape(len(mask), -1, 4).sum(-1) == 2).all(), "a group of four does not keep two")
    expect.that(mask.sum() <= mask.size // 2 + len(mask), f"{mask.mean():.0%} of a layer stay")
    return mask
