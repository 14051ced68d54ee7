"""Task 2: codes in words, one nibble after the other, and the product with the weights that they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from answers import field, number

Array = np.ndarray
Answer = dict[str, Any]


def packed(q: Array, group: int) -> Array:
    """Words of codes (n, k): nibble j of word w of a group is its code w + j · group / 8."""
    rows, columns = q.shape
    words, width = np.zeros((rows, columns // 8), np.uint32), group // 8
    for column in range(columns):
        run, place = divmod(column, group)
        nibble, word = divmod(place, width)
        words[:, run * width + word] |= q[:, column].astype(np.uint32) << np.uint32(4 * nibble)
    return words.view(np.int32)


def weights(q: Array, scale: Array, group: int) -> Array:
    """What codes stand for, in float64."""
    return (q.astype(np.float64) - 8) * np.repeat(scale.astype(np.float64), group, axis=1)


def layer(rng: np.random.Generator, n: int, k: int, group: int) -> tuple[Array, Array, Array]:
    """Codes, words and scales of a layer."""
    q = rng.integers(16, size=(n, k))
    scale = rng.uniform(0.01, 0.1, size=(n, k // group)).astype(np.float16)
    return q, packed(q, group), scale


def compared(
    student: Any,
    expect: Any,
    rng: np.random.Generator,
    sizes: tuple[int, int, int],
    *,
    group: int = 128,
    dtype: str = "float32",
    layout: str = "",
    positive: bool = False,
) -> Answer:
    """Runs `w4a16_matmul` under the meter; its result must be the definition's, with nothing found on the way."""
    m, n, k = sizes
    q, words, scale = layer(rng, n, k, group)
    x = rng.normal(size=(m, k)).astype(dtype)
    if positive:
        x, q = np.abs(x), q | 8
        words = packed(q, group)
    got = student.call("multiplied", x=x, words=words, scale=scale, group=group, layout=layout)
    for sentence in field(expect, got, "findings"):
        expect.that(False, f"The meter found a fault. {sentence}")
    what = f"the product at m={m}, n={n}, k={k}" + (f", {layout}" if layout else "")
    wide, w = x.astype(np.float64), weights(q, scale, group)
    exact = wide @ w.T
    # float32 sums of k terms that cancel; float16 is rounded once, at the end
    # a sum may be near 0 by chance: what it could have been, its terms say
    largest = max(np.abs(exact).max(), np.sqrt(wide**2 @ (w**2).T).max())
    tolerance = (1.1 if dtype == "float16" else 64) * float(np.finfo(dtype).eps) * largest
    expect.close(field(expect, got, "out"), exact.astype(dtype), what=what, rtol=0, atol=tolerance)
    expect.that(field(expect, got, "kept") is True, "an input changed")
    expect.that(number(expect, field(expect, got, "launches"), "the count of launches") > 0, "no kernel was launched")
    return dict(got)


def weight_bytes(expect: Any, got: Answer, sizes: tuple[int, int, int], group: int) -> float:
    """Bytes that kernels loaded from anything that has not the size of x in float32: words, scales, and whatever was made of them."""
    m, n, k = sizes
    loads = field(expect, got, "loads")
    pairs = isinstance(loads, list) and all(isinstance(one, list) and len(one) == 2 for one in loads)
    expect.that(pairs, "the call returned no counts")
    counted = sum(number(expect, loaded, "a count") for size, loaded in loads if size != 4 * m * k)
    least = n * k // 2 + 2 * n * (k // group)
    expect.that(
        counted >= least,
        f"{counted:,.0f} bytes of weights are said to be loaded by kernels; there are {least:,}: compute the product in your kernel.",
    )
    return counted
