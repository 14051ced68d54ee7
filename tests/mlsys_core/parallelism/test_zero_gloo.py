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
    train,
    train_all,
)

TIED = replace(TINY, tie_embeddings=True)
MIXED = Case(3, TINY, dtype=torch.bfloat16)
CASES = [Case(0, TIED), Case(1, TINY), Case(3, TINY), Case(2, TIED, overlap=True), Case(3, TIED, overlap=True)]
ON_FOUR = CASES[3:]


def ours_and_torchs(comm):
    """Every case, and what torch makes of three. Tensors go by value: their process is gone when they are read."""
    torchs = {
        "ZeroRedundancyOptimizer": (by_zero_redundancy_optimizer(comm, CASES[1]), train(comm, CASES[1])),
        "fully_shard": (by_fsdp2(comm, CASES[2]), train(comm, CASES[2])),
        "fully_shard, 16 bits": (by_fsdp2(comm, MIXED), train(comm, MIXED)),
    }
    return pickle.dumps((train_all(comm, CASES), torchs))


def on_four(comm):
    """The cases with overlap."""
    return pickle.dumps(train_all(comm, ON_FOUR))


def check(ran, cases, held):
    """Cases of all ranks against one process."""
    alone = {config: single_process(config).as_dict() for config in {case.config for case in cases}}
    for case, of_ranks in zip(cases, zip(*ran, strict=True), strict=True):
        traces = [one.trace for one in of_ranks]
        losses = [sum(step) / len(ran) for step in zip(*(trace.losses for trace in traces), strict=True)]
        found = replace(traces[0], losses=losses)
        held(f"ZeRO stage {case.stage}", "one process, gloo", found.as_dict(), alone[case.config], 1e-5)
        for trace in traces[1:]:
            assert all(torch.equal(trace.weights[name], found.weights[name]) for name in found.weights)


def test_two_processes_equal_one_process_and_torch(held):
    answers = [pickle.loads(answer) for answer in run_processes(2, ours_and_torchs)]
    check([ran for ran, _ in answers], CASES, held)
    for _, torchs in answers:
        for name, (theirs, own) in torchs.items():
            # every rank against its own twin: losses, gradients and weights, also in 16 bits
            held("ZeRO", f"torch {name}", own.trace.as_dict(), theirs.as_dict(), 1e-6)


def test_four_processes_equal_one_process(held):
    check([pickle.loads(answer) for answer in run_processes(4, on_four)], ON_FOUR, held)
