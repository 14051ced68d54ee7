"""Task 8, public check: work and its floor, predicted before it is counted."""

from __future__ import annotations

import pytest
from answers import field, number

pytestmark = pytest.mark.task("8")


@pytest.mark.points(0.7)
@pytest.mark.measured
@pytest.mark.hint(
    "2mkn operations a product; each input once in, each output once out, whatever its number of heads.", handout="2.10"
)
def test_prediction_of_work(student, rng, expect, measure):
    """Operations and bytes of a product and of attention, as predicted and as counted"""
    product = [int(size) for size in rng.integers(100, 9000, size=3)]
    kv_heads, element = int(rng.integers(1, 9)), int(rng.choice([2, 4]))
    attention = [
        int(rng.integers(1, 9)),
        kv_heads * int(rng.integers(3, 9)),
        kv_heads,
        int(rng.integers(100, 5000)),
        128,
    ]
    calls = [
        ("matmul_work", dict(zip("mnk", product, strict=True))),
        ("prefill_attention_work", dict(zip(("batch", "heads", "kv_heads", "n", "head_dim"), attention, strict=True))),
    ]
    settings = {"peak": 1e15, "bandwidth": 4e12}
    rows = [{"function": name, "arguments": one | {"element": element}, **settings} for name, one in calls]
    said = student.call("rooflines", rows=rows)
    counted = student.call("measured_work", product=product, attention=attention, element=element)
    pairs = []
    for (name, _), row, (flops, moved) in zip(calls, said, counted, strict=True):
        for what, real in (("flops", flops), ("bytes", moved)):
            pairs.append((f"{what} of {name}", number(expect, field(expect, row, what), what), float(real)))
    worst = max(pairs, key=lambda one: max(one[1] / one[2], one[2] / max(one[1], 1e-9)))
    measure.prediction(f"the {worst[0]}", worst[1], worst[2], tolerance=0.1)
