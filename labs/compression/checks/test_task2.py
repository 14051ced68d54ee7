"""Task 2, public checks: packing, the product for one token under the meter, and a prediction of its bytes."""

from __future__ import annotations

import int4_oracle as oracle
import numpy as np
import pytest
from answers import number

pytestmark = pytest.mark.task("2")


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "Nibble j of word w of a group is the code w + j · W of that group, with W = group / 8.", handout="3.6"
)
def test_packing(student, rng, expect):
    """pack_int4: codes from 0 to 15 in groups of 128"""
    q = rng.integers(16, size=(3, 256))
    expect.close(student.call("packed", q=q, group=128), oracle.packed(q, 128), what="words", rtol=0, atol=0)


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Shift each word by 4 j and keep four bits; the nibble j of all words of a group are neighbours.", handout="3.6"
)
def test_unpacking(student, rng, expect):
    """unpack_int4: the codes of words"""
    q = rng.integers(16, size=(5, 256)).astype(np.int32)
    words = oracle.packed(q, 128)
    expect.close(student.call("unpacked", words=words, group=128), q, what="codes", rtol=0, atol=0)


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "y[n] is the sum over groups of the scale times the sum of (code - 8) · x; nibble j of word w meets x[j · W + w].",
    handout="3.7",
)
def test_one_token(student, rng, expect):
    """w4a16_matmul: one token, float32, in the interpreter"""
    oracle.compared(student, expect, rng, (1, 32, 256))


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "Half a byte for each weight, and two bytes for each scale: how many scales has a row?", handout="3.8"
)
def test_prediction_of_bytes(student, rng, expect, measure):
    """Bytes of words and scales that a token loads, as predicted and as counted"""
    n, group = int(rng.integers(20, 60)), 128 * int(rng.integers(1, 3))
    k = group * int(rng.integers(2, 5))
    arguments = {"n": n, "k": k, "group": group}
    said = student.call("predicted", function="predict_weight_bytes", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    got = oracle.compared(student, expect, rng, (1, n, k), group=group)
    counted = oracle.weight_bytes(expect, got, (1, n, k), group)
    measure.prediction("the bytes of words and scales", predicted, counted, tolerance=0.01, zero_at=1.2, unit="B")


@pytest.mark.gpu
@pytest.mark.points(2)
@pytest.mark.limits(wall_s=90.0)
@pytest.mark.hint("Sums are float32, and a product is rounded once, when it is stored.", handout="3.7")
def test_on_a_gpu(student, rng, expect):
    """w4a16_matmul on a GPU: float16, 1 to 70 tokens"""
    n, k, group = int(rng.integers(100, 300)), 1024, 128
    q, words, scale = oracle.layer(rng, n, k, group)
    inputs = [rng.normal(size=(m, k)).astype(np.float16) for m in (1, 2, 16, 33, 70)]
    got = student.call("products", inputs=inputs, words=words, scale=scale, group=group)
    expect.that(isinstance(got, list) and len(got) == len(inputs), "a product is missing")
    for x, y in zip(inputs, got, strict=True):
        exact = x.astype(np.float64) @ oracle.weights(q, scale, group).T
        expect.near(y, exact, "float16", what=f"the product for {len(x)} tokens", roundings=2)
