"""Task 2, hidden checks: packing of every form, any number of tokens and outputs, strides, float16, and the bytes of weights."""

from __future__ import annotations

import int4_oracle as oracle
import numpy as np
import pytest

pytestmark = [pytest.mark.task("2"), pytest.mark.hidden]


@pytest.mark.points(1)
@pytest.mark.hint(
    "A word whose highest nibble is 8 or more is a negative int32; codes may come as uint8, whose sums would wrap around.",
    handout="3.6",
)
def test_packing_of_every_form(student, rng, expect):
    """pack_int4 and unpack_int4: groups of 8 to 256, codes of any integer type"""
    for group, dtype in ((8, np.uint8), (16, np.int8), (64, np.int32), (256, np.int64)):
        q = rng.integers(16, size=(2, group * int(rng.integers(1, 4)))).astype(dtype)
        q[0, -1] = 15
        words = student.call("packed", q=q, group=group)
        expect.close(words, oracle.packed(q, group), what=f"words of groups of {group}", rtol=0, atol=0)
        codes = student.call("unpacked", words=oracle.packed(q, group), group=group)
        expect.close(codes, q.astype(np.int32), what=f"codes of groups of {group}", rtol=0, atol=0)


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Mask rows, tokens and groups that lie outside, each load with `other`; the last step over groups may have fewer.",
    handout="3.7",
)
def test_any_sizes(student, rng, expect):
    """w4a16_matmul: tokens, outputs and groups that fill no tile"""
    for m, n, groups, group in ((1, 13, 3, 128), (1, 1, 1, 256), (3, 21, 1, 128), (17, 70, 3, 128), (66, 5, 2, 256)):
        oracle.compared(student, expect, rng, (m, n, groups * group), group=group)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Each of x, words and scale has two strides of its own, also where there is one token.", handout="3.7"
)
def test_strides(student, rng, expect):
    """w4a16_matmul: turned round, and parts of larger tensors"""
    for layout in ("turned", "inside"):
        for m in (1, 5):
            oracle.compared(student, expect, rng, (m, 18, 256), layout=layout)


@pytest.mark.points(1)
@pytest.mark.hint("A sum of a thousand terms in float16 loses its last ones: keep sums in float32.", handout="3.7")
def test_half_precision(student, rng, expect):
    """w4a16_matmul: float16, with sums that grow"""
    for m in (1, 18):
        oracle.compared(student, expect, rng, (m, 20, 1024), dtype="float16", positive=True)


@pytest.mark.points(2)
@pytest.mark.measured
@pytest.mark.hint(
    "Up to 64 tokens, one program computes them all for its rows, so that no word is loaded twice.", handout="3.8"
)
def test_bytes_of_weights(student, rng, expect, measure):
    """Bytes of weights that are loaded for each weight, the worst of 1, 16 and 64 tokens"""
    n, k, group, found = 40, 512, 128, {}
    for m in (1, 16, 64):
        got = oracle.compared(student, expect, rng, (m, n, k), group=group)
        found[m] = oracle.weight_bytes(expect, got, (m, n, k), group) / (n * k)
    worst = max(found, key=lambda m: found[m])
    by_tokens = ", ".join(f"{m}: {value:.3f}" for m, value in found.items())
    measure.ratio(
        f"bytes loaded for each weight at m = {worst} (by tokens {by_tokens}; float16 weights have 2)",
        found[worst], full_at=0.53, zero_at=1.0, unit="B",
    )  # fmt: skip
