"""ZeRO in real processes: equal to one process, to torch's fully_shard and to its ZeroRedundancyOptimizer."""

from __future__ import annotations

import pickle
from dataclasses import replace

import torch

from mlsys_core.parallelism.communication import run_processes
from tests.mlsys_core.parallelism.training import TINY, single_process
from tests.mlsys_core.parallelism.zero_runs import (
    Case,
    by_fsdp2,
    by_zero_redundancy_optimizer,
    train_all,
)

TIED = replace(TINY, tie_embeddings=True)
MIXED = Case(3, TINY, dtype=torch.bfloat16)
CASES = [
    Case(0, TIED),
    Case(1, TINY),
    Case(2, TIED, overlap=True),
    Case(3, TINY),
    Case(3, TIED, overlap=True),
    MIXED,
]


def ours_and_torchs(comm):
    """Every case, and what torch makes of the first ones. Tensors go by value: their process is gone when they are read."""
    torchs = [by_fsdp2(comm, Case(3, TINY)), by_zero_redundancy_optimizer(comm, Case(1, TINY)), by_fsdp2(comm, MIXED)]
    return pickle.dumps((train_all(comm, CASES), torchs))


def ours(comm):
    """Every case."""
    return pickle.dumps(train_all(comm, CASES))


def check(ran, i, alone, held):
    """A case of all ranks against one process."""
    case, traces = CASES[i], [one[i].trace for one in ran]
    losses = [sum(step) / len(ran) for step in zip(*(trace.losses for trace in traces), strict=True)]
    found = replace(traces[0], losses=losses)
    tolerance = 1e-5
    if case is MIXED:
        return
    held(f"ZeRO stage {case.stage}", "one process, gloo", found.as_dict(), alone[case.config].as_dict(), tolerance)


def test_two_processes_equal_one_process_and_torch(held):
    answers = [pickle.loads(answer) for answer in run_processes(2, ours_and_torchs)]
    alone = {config: single_process(config) for config in (TINY, TIED)}
    ran = [answer[0] for answer in answers]
    for i in range(len(CASES)):
        check(ran, i, alone, held)
    for rank, (own, torchs) in enumerate(answers):
        assert len(torchs) == 3, rank
        for i, theirs, name in [
            (3, 0, "fully_shard"),
            (1, 1, "ZeroRedundancyOptimizer"),
            (5, 2, "fully_shard, 16 bits"),
        ]:
            tolerance = 1e-6 if own[i] is not MIXED else 1e-2
            held(
                f"ZeRO stage {CASES[i].stage}",
                f"torch {name}",
                own[i].trace.as_dict(),
                torchs[theirs].as_dict(),
                tolerance,
            )


def test_four_processes_equal_one_process(held):
    ran = [pickle.loads(answer) for answer in run_processes(4, ours)]
    alone = {config: single_process(config) for config in (TINY, TIED)}
    for i in range(len(CASES)):
        check(ran, i, alone, held)
    mixed = [one[CASES.index(MIXED)].trace.weights for one in ran]
    assert all(torch.equal(w[name], mixed[0][name]) for w in mixed for name in w)
