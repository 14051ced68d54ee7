"""Task 6, hidden checks: factors for the inputs, an adapter's gradients and merging, corners of NF4, and a repaired language model."""

from __future__ import annotations

import lowrank_oracle as oracle
import numpy as np
import pytest
from answers import field, number, pair
from hidden import language

pytestmark = [pytest.mark.task("6"), pytest.mark.hidden]


@pytest.mark.points(1)
@pytest.mark.hint(
    "Multiply by L from the right, cut the singular values off, and take L out of the second factor again.",
    handout="3.25",
)
def test_low_rank_for_inputs(student, rng, expect):
    """low_rank_for_inputs: inputs that are large in a few directions"""
    for rows, width, rank in ((10, 8, 2), (6, 14, 4), (8, 8, 1)):
        weight = rng.normal(size=(rows, width))
        inputs = rng.normal(size=(5 * width, width)) @ (
            rng.normal(size=(width, width)) * rng.lognormal(0, 1, size=width)
        )
        root = oracle.root(inputs.T @ inputs)
        got = student.call("factored_for_inputs", weight=weight, hessian=inputs.T @ inputs, rank=rank)
        difference = oracle.product(expect, got, weight.shape, rank) - weight
        left, best = float(np.linalg.norm(difference @ root)), oracle.left_over(weight @ root, rank)
        expect.that(
            left <= best * (1 + 1e-6),
            f"{rows} × {width}, rank {rank}: the outputs are off by {left:.5f}, and {best:.5f} is possible",
        )


@pytest.mark.points(1.25)
@pytest.mark.hint(
    "Keep the old weight aside while the product is in it: taking a number out again rounds. Merging twice is merging once.",
    handout="3.26",
)
def test_gradients_and_merging(student, rng, expect):
    """LoRALinear: who learns, gradients, merged and apart, and the weight bitwise"""
    sizes = {
        name: int(rng.integers(low, low + 5)) for name, low in (("out", 6), ("width", 12), ("rank", 2), ("tokens", 3))
    }
    shapes = {
        "weight": ("out", "width"),
        "x": ("tokens", "width"),
        "a": ("rank", "width"),
        "b": ("out", "rank"),
        "cotangent": ("tokens", "out"),
    }
    given = {name: rng.normal(size=[sizes[one] for one in shape]) for name, shape in shapes.items()}
    alpha = float(rng.uniform(3, 30))
    got, scale = student.call("lora_story", rank=sizes["rank"], alpha=alpha, **given), alpha / sizes["rank"]
    expect.equal(field(expect, got, "parameters"), ["a", "b"], what="parameters")
    expect.that(field(expect, got, "weight_learns") is False, "the frozen weight asks for a gradient")
    x, a, b, pushed = (given[name] for name in ("x", "a", "b", "cotangent"))
    merged = given["weight"] + scale * b @ a
    expect.close(field(expect, got, "grad_b"), scale * pushed.T @ (x @ a.T), what="gradient of b", rtol=1e-8)
    expect.close(field(expect, got, "grad_a"), scale * (pushed @ b).T @ x, what="gradient of a", rtol=1e-8)
    expect.close(field(expect, got, "grad_x"), pushed @ merged, what="gradient of x", rtol=1e-8)
    states = field(expect, got, "states")
    steps = ("unmerge at first", "merge", "a second merge", "unmerge", "a second unmerge")
    for step, one, inside in zip(steps, states, (False, True, True, False, False), strict=True):
        expect.that(one["merged"] is inside, f"after {step}, merged is {one['merged']}")
        expect.close(one["out"], x @ merged.T, what=f"output after {step}", rtol=1e-9)
        if inside:
            expect.close(one["weight"], merged, what=f"weight after {step}", rtol=1e-9)
        else:
            expect.equal(one["weight"], given["weight"], what=f"weight after {step}")


@pytest.mark.points(0.5)
@pytest.mark.hint("Multiply x by A first, then by B; merged, there is one product and nothing else.", handout="3.26")
def test_work_of_a_call(student, rng, expect):
    """LoRALinear: operations of a call, apart and merged"""
    tokens, out, width, rank = 5, 40, 48, 3
    weight, x = rng.normal(size=(out, width)), rng.normal(size=(tokens, width))
    apart, merged = student.call("lora_work", weight=weight, rank=rank, x=x)
    base, more = 2 * tokens * out * width, 2 * tokens * rank * (out + width)
    for name, got, want in (("apart", apart, base + more), ("merged", merged, base)):
        expect.close(got["out"], x @ weight.T, what=f"output, {name}", rtol=1e-9)
        flops = number(expect, field(expect, got, "flops"), "the count")
        expect.that(flops <= want, f"{name}, a call takes {flops:,.0f} operations, and {want:,} are enough")
        expect.that(
            flops >= base,
            f"{flops:,.0f} operations were counted, fewer than {base:,}: write products as matrix products",
        )


@pytest.mark.points(0.75)
@pytest.mark.hint(
    "The last block may be shorter. A block of zeros has scale 0: do not divide by it; its codes are those of the level 0.",
    handout="3.27",
)
def test_nf4_corners(student, rng, expect):
    """nf4_quantize: short blocks, zeros, one-sided blocks, values between all levels"""
    for size, block in ((70, 16), (5, 64), (64, 64), (3 * 33 + 1, 33)):
        weight = rng.normal(size=size).astype(np.float32)
        weight[: block // 2] = -np.abs(weight[: block // 2])
        oracle.check_nf4(
            expect, student.call("nf4", weight=weight, block=block), weight, block, f"{size} in blocks of {block}"
        )
    zeros = np.zeros((3, 8), np.float32)
    zeros[1] = rng.normal(size=8)
    oracle.check_nf4(expect, student.call("nf4", weight=zeros, block=8), zeros, 8, "blocks of zeros")
    sweep = np.linspace(-1, 1, 801).astype(np.float32)
    oracle.check_nf4(expect, student.call("nf4", weight=sweep, block=801), sweep, 801, "a sweep from -1 to 1")


@pytest.mark.points(0.75)
@pytest.mark.hint("Take the mean off, divide block by block, round to -127 … 127; add the mean again.", handout="3.27")
def test_double_quantization(student, rng, expect):
    """double_quantize: short blocks, and scales that are all equal"""
    for count, block in ((40, 16), (7, 256), (64, 8)):
        scales = rng.lognormal(0, 0.4, size=count).astype(np.float32)
        oracle.check_scales(
            expect, student.call("scales_twice", scales=scales, block=block), scales, block, f"{count} scales"
        )
    equal = np.full(12, 0.5, np.float32)
    oracle.check_scales(expect, student.call("scales_twice", scales=equal, block=8), equal, 8, "equal scales")


BITS, RANK, STEPS = 3, 32, 200


def three_bits(weight):
    """Rounded to the nearest of eight levels, a scale and a zero for each row."""
    low, high = weight.min(1, keepdims=True), weight.max(1, keepdims=True)
    scale = (high - low) / (2**BITS - 1)
    return (np.round((weight - low) / scale) * scale + low).astype(np.float32)


@pytest.mark.points(2.25)
@pytest.mark.measured
@pytest.mark.hint(
    "Start from the best factors of what is missing, for these inputs and not for the weights alone; from zeros 200 steps are few.",
    handout="3.28",
)
def test_repair_of_three_bits(student, rng, expect, measure):
    """A language model at three bits: the damage that is left with adapters, over the damage without"""
    whole, text = language.load(), language.windows(rng, 8, held_out=True)
    inputs = language.inputs(whole, language.windows(rng, 8, held_out=False), every=2)
    broken, yours, ours = dict(whole), dict(whole), dict(whole)
    for block in range(language.LAYERS):
        names = [name for name in language.matrices() if name.startswith(f"blocks.{block}.")]
        layers = [{"weight": whole[name], "base": three_bits(whole[name]), "inputs": inputs[name]} for name in names]
        found = student.call("adapters", layers=layers, rank=RANK, steps=STEPS)
        for name, layer, factors in zip(names, layers, language.weights_of(expect, found, len(names)), strict=True):
            a, b = pair(expect, factors)
            broken[name], base = layer["base"], layer["base"].astype(np.float64)
            yours[name] = (base + oracle.product(expect, [b, a], base.shape, RANK)).astype(np.float32)
            ours[name] = (base + oracle.best_for(whole[name] - base, layer["inputs"], RANK)).astype(np.float32)
    exact, *others = (language.predictions(one, text) for one in (whole, broken, ours, yours))
    lost, best, left = (language.divergence(exact, one) for one in others)
    told = f"{lost:.4f} at three bits, {best:.4f} with ours, {left:.4f} with yours"
    name = f"damage left / damage (nats from the whole model's predictions: {told})"
    measure.ratio(name, left / lost, full_at=1.05 * best / lost, zero_at=1.0)
