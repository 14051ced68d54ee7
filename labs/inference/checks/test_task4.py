"""Task 4, public checks: blocks of a few sequences, a decode step over pages, and a prediction."""

from __future__ import annotations

import paged_oracle as oracle
import pytest
from answers import field, number

pytestmark = pytest.mark.task("4")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "A block goes back only when the last sequence that holds it lets go, so count its holders; fork adds one to each block.",
    handout="2.13",
)
def test_blocks_of_a_few_sequences(student, expect):
    """BlockManager: allocate, append, fork, copy on write, free"""
    ledger = oracle.Ledger(num_blocks=8, block_size=4)
    ledger.do("allocate", 0, 6)
    for sequence in (0, 0, 0):
        ledger.do("append", sequence)
    ledger.do("fork", 0, 1)
    for sequence in (1, 0, 1, 0):
        ledger.do("append", sequence)
    ledger.do("free", 0)
    ledger.do("append", 1)
    ledger.do("allocate", 2, 30)
    ledger.do("free", 1)
    ledger.do("allocate", 2, 3)
    ledger.do("allocate", 3, 20)
    oracle.Replay(expect, ledger).run(student.call("run_blocks", **oracle.call(ledger)))


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Token t lies in block table[t // block_size]. Mask what lies at or beyond the length: keys, values and scores.",
    handout="2.15",
)
def test_a_decode_step(student, rng, expect):
    """paged_decode: three sequences, one head of the cache"""
    pages = oracle.random_pages(rng, [5, 16, 9], heads=2, kv_heads=1, dim=32, block_size=4)
    got = student.call("paged_decode", **pages)
    oracle.check_decoded(expect, got, pages, "float32")


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "A key and a value for each token and head of the cache, a query for each sequence and head; each number has element_bytes.",
    handout="2.16",
)
def test_prediction_of_bytes(student, rng, expect, measure):
    """Bytes that a decode step loads, as predicted and as counted"""
    kv_heads, group = int(rng.integers(1, 3)), int(rng.integers(2, 5))
    lengths = [int(one) for one in rng.integers(20, 90, size=int(rng.integers(2, 5)))]
    arguments = {"lengths": lengths, "heads": kv_heads * group, "kv_heads": kv_heads, "dim": 64, "element_bytes": 4}
    said = student.call("predicted", function="predict_decode_bytes", arguments=arguments)
    predicted = number(expect, said, "the prediction")
    pages = oracle.random_pages(rng, lengths, heads=kv_heads * group, kv_heads=kv_heads, dim=64, block_size=16)
    got = student.call("paged_decode", **pages)
    oracle.check_decoded(expect, got, pages, "float32")
    counted = number(expect, field(expect, got, "loaded"), "the count")
    least = (2 * sum(lengths) * kv_heads + len(lengths) * kv_heads * group) * 64 * 4
    expect.that(
        counted >= least, f"{counted:,.0f} bytes are said to be loaded; no kernel does with less than {least:,}"
    )
    measure.prediction("the bytes of a decode step", predicted, counted, tolerance=0.05, zero_at=1.6, unit="B")


@pytest.mark.gpu
@pytest.mark.points(2)
@pytest.mark.limits(wall_s=90.0)
@pytest.mark.hint(
    "Compute in float32 and round once at the end; table entries behind the end may be negative, so mask their load.",
    handout="2.15",
)
def test_a_decode_step_on_a_gpu(student, rng, expect):
    """paged_decode on a GPU: half precision, uneven lengths, nan in what is not used"""
    lengths = [int(one) for one in rng.integers(1, 300, size=5)]
    pages = oracle.random_pages(rng, lengths, heads=16, kv_heads=4, dim=128, block_size=16, dtype="float16")
    got = student.call("decoded", **pages)
    expect.near(field(expect, got, "out"), oracle.attention(**pages), "float16", what="the result")
