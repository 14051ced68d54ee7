"""Prints belong to the request that made them, however late their stream arrives behind the answer."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator

import pytest

from grader.inside.wire import end_of_prints
from grader.judge.prints import PATIENCE_S, Prints


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    yield reads, writes
    os.close(reads)
    os.close(writes)


def test_prints_that_come_after_the_answer_are_waited_for(pipe):
    reads, writes = pipe
    prints = Prints(reads, 1000)
    prints.expect(7)
    late = threading.Timer(0.1, os.write, (writes, b"a line" + end_of_prints(7)))
    late.start()
    prints.settle()
    assert prints.take() == "a line"
    late.join()


@pytest.mark.parametrize("seed", range(20))
def test_a_mark_in_pieces_is_taken_out_and_everything_else_stays(pipe, seed: int):
    reads, writes = pipe
    draw, prints = random.Random(seed), Prints(reads, 1000)
    for request in (draw.randrange(1 << 52), draw.randrange(1 << 52)):
        mark = end_of_prints(request)
        # a text with beginnings of the mark in it
        before = b"".join(draw.choice([b"x", b"\n", mark[: draw.randrange(len(mark) - 1)], b"\0"]) for _ in range(8))
        after = draw.choice([b"", b"a thread prints on"])
        stream = before + mark + after
        prints.expect(request)
        cuts = sorted(draw.sample(range(1, len(stream)), 5))
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            os.write(writes, stream[start:end])
            prints.drain()
        prints.settle()
        assert prints.take() == (before + after).decode().replace("\0", "\ufffd")


def test_a_mark_does_not_count_against_the_limit(pipe):
    reads, writes = pipe
    prints = Prints(reads, 10)
    prints.expect(1)
    os.write(writes, b"0123456789" + end_of_prints(1))
    prints.settle()
    assert prints.take() == "0123456789"
    prints.expect(2)
    os.write(writes, b"0123456789ab" + end_of_prints(2))
    prints.settle()
    assert prints.take() == "0123456789\n[cut: 2 more bytes]"


def test_a_program_that_keeps_the_mark_back_is_not_waited_for_for_long(pipe):
    reads, writes = pipe
    prints = Prints(reads, 1000)
    prints.expect(1)
    os.write(writes, b"mine" + end_of_prints(2))
    started = time.monotonic()
    prints.settle()
    assert PATIENCE_S <= time.monotonic() - started < 10
    assert prints.take() == "mine" + end_of_prints(2).decode().replace("\0", "\ufffd")
    prints.expect(3)
    started = time.monotonic()
    prints.settle()
    assert time.monotonic() - started < PATIENCE_S / 2  # or a hundred requests would cost the worker a hundred seconds


def test_a_stream_that_ended_is_not_waited_for():
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    prints = Prints(reads, 1000)
    prints.expect(1)
    os.write(writes, b"last words")
    os.close(writes)
    prints.settle()
    assert not prints.open
    assert prints.take() == "last words"
    os.close(reads)
