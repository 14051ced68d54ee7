"""Task 5, public checks: masks, the best weights on a mask, and a prediction of bytes."""

from __future__ import annotations

import pytest
import sparsity_oracle as oracle
from answers import field, number

pytestmark = pytest.mark.task("5")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Sort magnitudes over the whole matrix; for n of m cut each row into groups of m and sort within them.",
    handout="3.20",
)
def test_masks(student, rng, expect):
    """magnitude_mask and n_of_m_mask: random weights"""
    weight = rng.normal(size=(6, 20)) * rng.uniform(0.2, 3, size=(6, 1))
    for sparsity in (0.5, 0.3):
        got = student.call("largest_mask", weight=weight, sparsity=sparsity)
        expect.equal(got, oracle.largest(weight, sparsity), what=f"magnitude_mask, sparsity {sparsity}")
    scores = rng.random((5, 16))
    expect.equal(student.call("group_mask", scores=scores, n=2, m=4), oracle.n_of_m(scores, 2, 4), what="2 of 4")
    got = student.call("group_mask", scores=rng.random((2, 10)), n=2, m=4)
    expect.that(isinstance(got, str), "10 columns make no groups of 4: raise a ValueError")


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "The score is |W| times the length of the input's column; within a row the smallest go.", handout="3.21"
)
def test_wanda(student, rng, expect):
    """wanda_scores and wanda_mask: inputs of different sizes"""
    weight = rng.normal(size=(6, 12))
    inputs = rng.normal(size=(30, 12)) * rng.uniform(0.1, 5, size=12)
    scores, mask = oracle.by_inputs(weight, inputs, 0.5)
    got = student.call("wanda", weight=weight, inputs=inputs, sparsity=0.5)
    expect.close(field(expect, got, "scores"), scores, what="scores", rtol=1e-9)
    expect.equal(field(expect, got, "mask"), mask, what="mask")


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "For the weights M that stay: H[M, M] ŵ = H[M, :] w. All of w stands on the right, also what goes.", handout="3.22"
)
def test_best_weights_on_a_mask(student, rng, expect):
    """least_squares_on_mask: half of the weights stay"""
    weight, mask = rng.normal(size=(5, 12)), rng.random((5, 12)) < 0.5
    inputs = oracle.correlated(rng, 60, 12)
    got = student.call("best_on_mask", weight=weight, hessian=inputs.T @ inputs, mask=mask)
    # H has the square of the inputs' condition, so half of the digits are its
    expect.close(got, oracle.fitted(weight, inputs, mask), what="weights", rtol=1e-6, atol=1e-7)


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint("Half of the values, and for each of them two bits.", handout="3.24")
def test_prediction_of_bytes(student, rng, expect, measure):
    """Bytes of a 2:4-sparse weight, as predicted and as counted"""
    rows, width = int(rng.integers(3, 9)), 8 * int(rng.integers(3, 9))
    element = int(rng.choice([2, 4]))
    arguments = {"rows": rows, "width": width, "element": element}
    said = student.call("predicted", function="predict_2_4_bytes", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    weight = oracle.two_of_four(rng, rows, width, f"float{8 * element}")
    got = student.call("compressed", weight=weight)
    values, positions = (field(expect, got, name) for name in ("values", "positions"))
    expect.equal(oracle.expanded(expect, values, positions, weight.shape), weight, what="what is stored")
    measure.prediction("the bytes", predicted, float(values.nbytes + positions.nbytes), tolerance=0.01)
