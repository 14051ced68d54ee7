"""Task 6, public checks: factors, an adapter, NF4, and a prediction of bits."""

from __future__ import annotations

import lowrank_oracle as oracle
import numpy as np
import pytest
from answers import field, number

pytestmark = pytest.mark.task("6")


@pytest.mark.points(1)
@pytest.mark.hint("The singular value decomposition, cut off after `rank` of its directions.", handout="3.25")
def test_low_rank(student, rng, expect):
    """low_rank: tall, wide, and all of the rank"""
    for rows, width, rank in ((9, 6, 2), (5, 12, 3), (6, 6, 6)):
        weight = rng.normal(size=(rows, width))
        got = oracle.product(expect, student.call("factored", weight=weight, rank=rank), weight.shape, rank)
        left, best = float(np.linalg.norm(got - weight)), oracle.left_over(weight, rank)
        expect.that(
            left <= best * (1 + 1e-9) + 1e-6,
            f"{rows} × {width}, rank {rank}: {left:.6f} is left over, and {best:.6f} is possible",
        )


def story(student, rng, **sizes):
    """A layer's life with random factors: what was given, and what it told."""
    out, width, rank, tokens = (sizes[name] for name in ("out", "width", "rank", "tokens"))
    shapes = {
        "weight": (out, width),
        "x": (tokens, width),
        "a": (rank, width),
        "b": (out, rank),
        "cotangent": (tokens, out),
    }
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    alpha = float(rng.uniform(3, 30))
    return given, alpha / rank, student.call("lora_story", rank=rank, alpha=alpha, **given)


@pytest.mark.points(1)
@pytest.mark.hint(
    "y = x Wᵀ + α/r (x Aᵀ) Bᵀ; B starts with zeros, so that the layer starts as what it was.", handout="3.26"
)
def test_lora(student, rng, expect):
    """LoRALinear: what it starts with, and what it computes"""
    given, scale, got = story(student, rng, out=5, width=7, rank=2, tokens=6)
    plain = given["x"] @ given["weight"].T
    expect.close(field(expect, got, "start"), plain, what="output of a new layer", rtol=1e-9)
    expect.close(field(expect, got, "first_b"), np.zeros((5, 2)), what="b of a new layer")
    first = field(expect, got, "first_a")
    expect.that(first.shape == (2, 7) and len(np.unique(first)) > 7, "a of a new layer should be (2, 7) random numbers")
    want = plain + scale * (given["x"] @ given["a"].T @ given["b"].T)
    expect.close(field(expect, got, "out"), want, what="output with factors", rtol=1e-9)


@pytest.mark.points(0.75)
@pytest.mark.hint("Divide each block by its largest magnitude and take the nearest of the 16 levels.", handout="3.27")
def test_nf4(student, rng, expect):
    """nf4_levels, nf4_quantize and nf4_dequantize: whole blocks"""
    expect.close(student.call("nf4_table"), oracle.levels().astype(np.float32), what="levels", rtol=0, atol=2e-6)
    weight = (rng.normal(size=(4, 48)) * rng.uniform(0.01, 3, size=(4, 1))).astype(np.float32)
    oracle.check_nf4(expect, student.call("nf4", weight=weight, block=16), weight, 16, "blocks of 16")


@pytest.mark.points(0.75)
@pytest.mark.measured
@pytest.mark.hint(
    "Four bits, a share of a scale's eight, and a share of the float32 that scales the scales.", handout="3.27"
)
def test_prediction_of_bits(student, rng, expect, measure):
    """Bits a weight of NF4 with double quantization, as predicted and as counted"""
    block, second = int(rng.choice([8, 16, 32])), int(rng.choice([4, 8, 16]))
    arguments = {"block": block, "second": second}
    predicted = number(expect, student.call("predicted", function="nf4_bits", arguments=arguments), "the prediction")
    alone = student.call("predicted", function="nf4_bits", arguments=arguments | {"second": 0})
    expect.close(number(expect, alone, "the prediction"), 4 + 32 / block, what="bits with scales in float32")
    weight = rng.normal(size=block * second * 6).astype(np.float32)
    codes = student.call("nf4", weight=weight, block=block)
    oracle.check_nf4(expect, codes, weight, block, f"blocks of {block}")
    twice = student.call("scales_twice", scales=codes["scales"], block=second)
    oracle.check_scales(expect, twice, codes["scales"], second, f"scales in blocks of {second}")
    bits = 4 * codes["codes"].size + 8 * (twice["codes"].nbytes + twice["absmax"].nbytes)
    measure.prediction("the bits a weight", predicted, bits / weight.size, tolerance=0.002, zero_at=1.2)
