"""Task 3, public checks: the kernel in the interpreter under the meter, and a prediction of its traffic."""

from __future__ import annotations

import kernels
import pytest
from answers import number

pytestmark = pytest.mark.task("3")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "A program's tile of queries stays; keys and values come in tiles; the rest is Task 2's recurrence.", handout="2.8"
)
def test_all_pairs(student, rng, expect):
    """flash_attention: whole tiles, float32"""
    inputs = kernels.drawn(rng, (1, 2, 2, 64, 64), 16)
    kernels.compared(student, expect, inputs, block_m=32, block_n=16)


@pytest.mark.points(1)
@pytest.mark.hint(
    "Query i sees the keys j ≤ i + M - N: compare row and column numbers of the whole, not of the tile.", handout="2.8"
)
def test_causal(student, rng, expect):
    """flash_attention: causal, float32"""
    inputs = kernels.drawn(rng, (1, 1, 1, 64, 64), 16)
    kernels.compared(student, expect, inputs, causal=True, block_m=16, block_n=32)


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "Queries are loaded once. Keys and values are loaded by each program: how many programs has a head?", handout="2.9"
)
def test_prediction_of_bytes(student, rng, expect, measure):
    """Bytes that the kernel loads, as predicted and as counted"""
    heads, tiles, block_m = int(rng.integers(1, 3)), int(rng.integers(3, 6)), 16 * int(rng.integers(1, 3))
    n, d = tiles * block_m, 16
    arguments = {"batch": 1, "heads": heads, "n": n, "head_dim": d, "block_m": block_m, "element": 4}
    said = student.call("predicted", function="predict_flash_bytes", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    inputs = kernels.drawn(rng, (1, heads, heads, n, n), d)
    got = kernels.compared(student, expect, inputs, block_m=block_m, block_n=32)
    loaded = kernels.counted(expect, got, "loaded")
    says = kernels.told_traffic(measure, n=n, d=d, heads=heads, block_m=block_m, loaded=loaded)
    measure.prediction(f"the bytes that are loaded ({says})", predicted, loaded, tolerance=0.02)
