"""Ranks that are processes keep the same promises; failures arrive with their traceback, and no process is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from mlsys_core.parallelism.communication import run_processes, run_ranks
from tests.mlsys_core.parallelism import gloo_programs


def processes_of_the_server() -> list[str]:
    """Those that were forked for ranks: children of a child of this process, by the kernel's table."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if rest[0] != "Z":
            parents[stat.parent.name] = rest[1]
    own = str(os.getpid())
    return [pid for pid, parent in parents.items() if parents.get(parent) == own]


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = processes_of_the_server()
    yield
    assert set(processes_of_the_server()) <= set(before)


@pytest.mark.parametrize("size", [2, 4])
def test_both_backends_keep_the_same_promises(size):
    found = run_processes(size, gloo_programs.backend, timeout_s=60)
    assert found == run_ranks(size, gloo_programs.backend)[0]
    for rank, one in enumerate(found):
        assert one["order"] == [0.0, 1.0, 2.0, 3.0]
        assert one["empty"] == 0
        assert one["view"] == [[0.0, 0, 3, 0], [1, 0, 4, 0], [2, 0, 5, 0]]
        assert one["beside"][:3] == [size, 2 * size, 100 * size]
        assert "cannot start another" in one["beside"][3]
        assert one["groups"] == [0.0, 1.0, 2.0]
        assert one["self"] == f"Rank {rank} of {size} has no other rank {rank} to exchange messages with."


def test_a_failing_rank_is_told_with_its_traceback_and_not_what_it_did_to_the_others():
    for who in (0, 2, 1):
        with pytest.raises(RuntimeError) as error:
            run_processes(3, gloo_programs.fails, who, timeout_s=60)
        assert str(error.value).startswith(f"Rank {who} failed:\nTraceback")
        assert 'raise KeyError("the first failure")' in str(error.value)


def test_a_rank_that_vanishes_is_named():
    with pytest.raises(RuntimeError, match=r"Rank 1 ended without an answer\."):
        run_processes(3, gloo_programs.vanishes, 1, timeout_s=60)


def test_ranks_that_do_not_end_are_ended():
    with pytest.raises(TimeoutError, match=r"2 of 2 ranks did not end in 0\.5 s\."):
        run_processes(2, gloo_programs.hangs, timeout_s=0.5)


def test_results_outlive_their_processes():
    found = run_processes(2, gloo_programs.many_results, timeout_s=60)
    for one in found:
        assert [tensor[0].item() for tensor in one[:300]] == [float(place) for place in range(300)]
        assert one[300] is one[301]
        assert torch.equal(one[300], torch.ones(3))


def test_a_result_that_cannot_be_sent_back_is_an_error():
    with pytest.raises(RuntimeError, match="cannot pickle"):
        run_processes(2, gloo_programs.unpicklable, timeout_s=60)


def test_a_transfer_that_nobody_waits_for_ends_before_its_rank():
    assert run_processes(2, gloo_programs.slow_thread, timeout_s=60) == [2, 2]
