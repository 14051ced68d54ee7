"""Task 8, hidden checks: decoding in numbers, floors, tiles that load least, and on a GPU the tiles that are fastest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from answers import field, number
from hidden import work

pytestmark = [pytest.mark.task("8"), pytest.mark.hidden]

WITHIN = 0.1
DEVICES = ((989e12, 3.35e12), (989e12, 4.8e12), (312e12, 2.04e12), (125e12, 0.9e12))
ON_A_GPU = [[4096, 4096, 4096], [16, 8192, 8192], [512, 6144, 4096]]


def check_rows(student, expect, rows, want):
    """Every number within a tenth, every bound right."""
    got = student.call("rooflines", rows=rows)
    expect.that(isinstance(got, list) and len(got) == len(rows), "the call returned no list of rows")
    for row, said, right in zip(rows, got, want, strict=True):
        place = f"{row['function']}({', '.join(f'{name}={size}' for name, size in row['arguments'].items())})"
        for name in ("flops", "bytes", "intensity", "time_s"):
            value = number(expect, field(expect, said, name), name)
            off = abs(value / right[name] - 1)
            expect.that(off <= WITHIN, f"{name} of {place}: {value:.4g} is more than a tenth off {right[name]:.4g}")
        expect.equal(field(expect, said, "bound"), right["bound"], what=f"what limits {place}")


@pytest.mark.points(0.6)
@pytest.mark.hint(
    "A decode step reads all weights once for the whole batch, and of each sequence its own keys and values.",
    handout="2.10",
)
def test_decoding(student, rng, expect):
    """Decoding in numbers: attention to a cache, and a whole step, on four devices"""
    rows, want = [], []
    for peak, bandwidth in DEVICES:
        batch, kv_heads, context = (int(rng.integers(low, high)) for low, high in ((1, 300), (1, 9), (100, 9000)))
        heads, sizes = kv_heads * int(rng.integers(1, 9)), {"head_dim": 128, "element": 2}
        one = {"batch": batch, "heads": heads, "kv_heads": kv_heads, "context": context, **sizes}
        model = {
            "layers": int(rng.integers(8, 80)),
            "width": 4096,
            "hidden": int(rng.integers(8000, 16000)),
            "vocabulary": 32000,
        }
        for name, function, arguments in (
            ("decode_attention_work", work.decode, one),
            ("decode_step_work", work.step, one | model),
        ):
            rows.append({"function": name, "arguments": arguments, "peak": peak, "bandwidth": bandwidth})
            want.append(work.floor(function(**arguments), peak, bandwidth))
    check_rows(student, expect, rows, want)


@pytest.mark.points(0.3)
@pytest.mark.hint(
    "The slower of the two decides: compare the intensity with the device's ratio of peak and bandwidth.",
    handout="2.10",
)
def test_both_sides_of_the_ridge(student, rng, expect):
    """Products and attention on both sides of the ridge"""
    rows, want = [], []
    for peak, bandwidth in DEVICES:
        for m in (int(rng.integers(1, 20)), int(rng.integers(2000, 9000))):
            arguments = {"m": m, "n": 8192, "k": int(rng.integers(4000, 9000)), "element": 2}
            rows.append({"function": "matmul_work", "arguments": arguments, "peak": peak, "bandwidth": bandwidth})
            want.append(work.floor(work.matmul(**arguments), peak, bandwidth))
        n = int(rng.choice([32, 4096]))
        arguments = {"batch": 2, "heads": 8, "kv_heads": 8, "n": n, "head_dim": 64, "element": 2}
        rows.append(
            {"function": "prefill_attention_work", "arguments": arguments, "peak": peak, "bandwidth": bandwidth}
        )
        want.append(work.floor(work.prefill(**arguments), peak, bandwidth))
    check_rows(student, expect, rows, want)


@pytest.mark.points(0.4)
@pytest.mark.hint(
    "Every program loads its rows of a and its columns of b; among tiles that fit, padding costs operations too.",
    handout="2.10",
)
def test_tiles(student, rng, expect):
    """tile_traffic, against the meter on the given kernel; choose_tiles, by the formulas"""
    m, n, k = (int(size) for size in rng.integers([20, 129, 20], [45, 150, 90]))
    a, b = rng.normal(size=(m, k)).astype(np.float32), rng.normal(size=(k, n)).astype(np.float32)
    arguments = {"m": m, "n": n, "k": k, "block_m": 16, "block_n": 32, "element": 4}
    said = number(expect, student.call("predicted", function="tile_traffic", arguments=arguments), "tile_traffic")
    got = student.call("matmul_loaded", a=a, b=b, tiles=[16, 32, 32])
    expect.near(
        field(expect, got, "out"), a.astype(np.float64) @ b, "float32", what="the given kernel's product", roundings=64
    )
    expect.equal(
        int(said), int(number(expect, field(expect, got, "loaded"), "the count")), what="bytes that the tiles load"
    )
    shapes = [
        [int(rng.integers(3000, 9000))] * 3,
        [int(rng.integers(1, 17)), 8192, 8192],
        [int(rng.integers(65, 128)), 4096, 4096],
    ]
    for shape, tiles in zip(shapes, student.call("tiles_chosen", shapes=shapes), strict=True):
        expect.that(tiles in work.TILES, f"choose_tiles{tuple(shape)} returned {tiles}, which is not in TILES")
        best = min(work.least_time(shape, one) for one in work.TILES)
        mine = work.least_time(shape, tiles)
        problem = (
            "do not fit into shared memory"
            if math.isinf(mine)
            else f"take {mine * 1e6:.4g} µs by the formulas, and {best * 1e6:.4g} µs can be had"
        )
        expect.that(mine <= 1.01 * best, f"the tiles {tiles} for {shape} {problem}")


@pytest.mark.points(4)
@pytest.mark.gpu
@pytest.mark.measured
@pytest.mark.limits(wall_s=150)
@pytest.mark.hint(
    "Formulas say what cannot be faster; which of the rest is fastest, a clock says. Time the candidates.",
    handout="2.10",
)
def test_choice_on_a_gpu(student, reference, expect, measure):
    """choose_tiles on a GPU: time of the choice, against the best of all tiles"""
    chosen = student.call("tiles_chosen", shapes=ON_A_GPU)
    expect.that(isinstance(chosen, list) and len(chosen) == len(ON_A_GPU), "choose_tiles returned no tiles")
    ratios, told = [], []
    for shape, tiles, found in zip(ON_A_GPU, chosen, reference.call("tile_times", shapes=ON_A_GPU), strict=True):
        times = {tuple(one): ms for one, ms in found}
        expect.that(tuple(tiles) in times, f"the tiles {tiles} do not run on this card for {shape}")
        best = min(times, key=lambda one: times[one])
        ratios.append(times[tuple(tiles)] / times[best])
        told.append(
            f"{'×'.join(map(str, shape))}: {tuple(tiles)} {times[tuple(tiles)]:.3f} ms, best {best} {times[best]:.3f} ms"
        )
    measure.ratio(f"time of your tiles / the best ({'; '.join(told)})", max(ratios), full_at=1.1, zero_at=2.0)
