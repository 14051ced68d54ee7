"""Task 4, hidden checks: any order of operations, wasted memory, pages of every form, bytes, and the speed of the kernel on a GPU."""

from __future__ import annotations

import numpy as np
import paged_oracle as oracle
import pytest
from answers import field, number

from grader.checks.charts import roofline
from grader.checks.timing import SpeedTrial, TimedDriver
from mlsys_core.kernels.meter import Floor
from mlsys_core.workloads.devices import DEVICES, H200

pytestmark = [pytest.mark.task("4"), pytest.mark.hidden]


@pytest.mark.points(2)
@pytest.mark.hint(
    "Before anything changes, count what is needed and what is free; append copies only when its last block has room and another holder.",
    handout="2.14",
)
def test_any_order_of_operations(student, rng, expect):
    """BlockManager: four random sequences of 250 operations, some of which must fail"""
    for block_size in (1, 2, 4, 5):
        ledger = oracle.random_ledger(rng, 250, num_blocks=24, block_size=block_size)
        oracle.Replay(expect, ledger).run(student.call("run_blocks", **oracle.call(ledger)))


@pytest.mark.points(1)
@pytest.mark.hint(
    "A preempted sequence has a length and no blocks: it can be restored or freed, and its number is still taken.",
    handout="2.14",
)
def test_preempted_sequences(student, expect):
    """BlockManager: preempt and restore among forks, with no block to spare, and freed while away"""
    ledger = oracle.Ledger(num_blocks=6, block_size=3)
    script = (
        "allocate 0 7, fork 0 1, preempt 0, append 1, allocate 2 9, restore 0, preempt 2, restore 0, append 0, append 0"
    )
    script += (
        ", append 1, allocate 2 1, fork 1 2, preempt 2, free 2, preempt 1, restore 1, restore 1, free 1, preempt 1"
    )
    script += (
        ", append 0, free 0, free 0, allocate 7 18, append 7, preempt 7, append 7, allocate 8 0, append 8, fork 8 9"
    )
    script += ", append 9, free 8, append 9, restore 7, free 9, restore 7, append 7, fork 7 7, fork 9 7, restore 3"
    for line in script.split(", "):
        method, *numbers = line.split()
        ledger.do(method, *map(int, numbers))
    oracle.Replay(expect, ledger).run(student.call("run_blocks", **oracle.call(ledger)))


@pytest.mark.points(1.5)
@pytest.mark.measured
@pytest.mark.hint(
    "Only the last block of a sequence may have empty slots, and forks share their blocks until one of them writes.",
    handout="2.13",
)
def test_wasted_memory(student, rng, expect, measure):
    """Slots in used blocks that hold no token, over a trace"""
    ledger = oracle.serving_trace(rng, requests=14, block_size=8)
    got = student.call("run_blocks", **oracle.call(ledger))
    used = oracle.Replay(expect, ledger).run(got, frugal=False)
    waste = 100 * oracle.wasted(ledger, used)
    expect.that(waste >= 0, "there are fewer blocks than tokens to hold")
    measure.ratio("wasted slots", waste, full_at=4.0, zero_at=62.0, unit="%")


@pytest.mark.points(2)
@pytest.mark.hint(
    "Head h reads head h // (H / H_kv) of the cache; a sequence of length 0 has no sum to divide by; the first tile may be the last.",
    handout="2.15",
)
def test_pages_of_every_form(student, rng, expect):
    """paged_decode: groups of heads, block sizes, float16, shared pages, lengths 0 and 1, large scores"""
    cases = [
        ([1, 0, 33], {"heads": 8, "kv_heads": 2, "dim": 32, "block_size": 16}, 1.0),
        ([64, 65, 3], {"heads": 3, "kv_heads": 3, "dim": 64, "block_size": 1}, 1.0),
        ([7, 130], {"heads": 6, "kv_heads": 2, "dim": 32, "block_size": 8, "dtype": "float16"}, 1.0),
        ([40, 40, 50], {"heads": 4, "kv_heads": 1, "dim": 32, "block_size": 32, "shared": True}, 60.0),
        ([390, 257], {"heads": 4, "kv_heads": 2, "dim": 64, "block_size": 16, "rising": True}, 4.0),
        ([128, 90], {"heads": 16, "kv_heads": 1, "dim": 32, "block_size": 64}, 1.0),
    ]
    for lengths, sizes, scale in cases:
        pages = oracle.random_pages(rng, lengths, **sizes)
        pages["q"] = (pages["q"] * scale).astype(pages["q"].dtype)
        got = student.call("paged_decode", **pages)
        oracle.check_decoded(expect, got, pages, sizes.get("dtype", "float32"), roundings=16.0 * scale)


@pytest.mark.points(1.5)
@pytest.mark.measured
@pytest.mark.hint(
    "Let one program compute all query heads of a group, so that it loads each key and value once; masked lanes cost no bytes.",
    handout="2.16",
)
def test_bytes_that_are_loaded(student, rng, expect, measure):
    """Bytes that paged_decode loads, over what has to be loaded"""
    lengths, heads, kv_heads, dim = [int(one) for one in rng.integers(70, 150, size=3)], 8, 2, 64
    pages = oracle.random_pages(rng, lengths, heads=heads, kv_heads=kv_heads, dim=dim, block_size=16)
    got = student.call("paged_decode", **pages)
    oracle.check_decoded(expect, got, pages, "float32")
    report = {name: number(expect, field(expect, got, name), name) for name in ("loaded", "stored", "atomic")}
    cache, queries = 2 * sum(lengths) * kv_heads * dim * 4, pages["q"].nbytes
    floor = Floor(loaded=cache + queries, stored=queries)
    expect.that(not (told := floor.problem(report)), told)
    flops, moved = 4.0 * sum(lengths) * heads * dim, report["loaded"] + report["stored"]
    measure.chart(roofline(device="H200", peak=H200.peak("float16"), bandwidth=H200.bandwidth, intensity=flops / moved))
    measure.ratio("bytes loaded / bytes that have to be", report["loaded"] / floor.loaded, full_at=1.05, zero_at=4.0)


@pytest.mark.gpu
@pytest.mark.points(4)
@pytest.mark.measured
@pytest.mark.limits(wall_s=90.0)
@pytest.mark.hint(
    "Load tiles of many tokens, a few of them ahead (num_stages), and share them in the group; count the programs that run at once.",
    handout="2.16",
)
def test_share_of_the_bandwidth(student, reference, rng, measure):
    """Time that the memory needs for a decode step, over the time that it takes"""
    sizes = {"batch": 256, "heads": 32, "kv_heads": 8, "dim": 128, "block_size": 16, "longest": 4096}
    tokens = int(np.linspace(sizes["longest"] // 2, sizes["longest"], sizes["batch"]).astype(np.int32).sum())
    moved = 2 * (2 * tokens * sizes["kv_heads"] + 2 * sizes["batch"] * sizes["heads"]) * sizes["dim"]
    ours, theirs = (TimedDriver(program, "decode", sizes) for program in (student, reference))
    name = reference.call("card")
    bandwidth = max((one.bandwidth for one in DEVICES if one.name in name.split()[1:2]), default=H200.bandwidth)
    floor_ms = moved / bandwidth * 1e3
    trial = SpeedTrial(ours, theirs, rng, floor_ms=floor_ms, rtol=2e-3, on_gpu=True, dtype="float16")
    found = trial.run(rounds=10)
    share = moved / (found.ratio * theirs.median_ms(rng, calls=9, dtype="float16") / 1e3) / bandwidth
    measure.ratio(
        "share of the memory's bandwidth", share, full_at=0.75, zero_at=0.25,
        low=share * found.ratio / found.high, high=share * found.ratio / found.low, samples=found.samples,
    )  # fmt: skip
