"""Pipelines of real processes: equal to one process, and to torch's own pipelines."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from mlsys_core.parallelism.communication import run_processes
from mlsys_core.parallelism.pipeline import gpipe, interleaved_1f1b, one_f_one_b, zero_bubble_h1
from tests.mlsys_core.parallelism.pipeline_runs import (
    Case,
    joined,
    own_schedule,
    torchs_interleaved_order,
    train,
    train_all,
)
from tests.mlsys_core.parallelism.training import TINY, single_process

TIED = replace(TINY, tie_embeddings=True)
TORCHS = ("ScheduleGPipe", "Schedule1F1B", "ScheduleInterleaved1F1B")
ORDERS = [(2, 4, 2), (2, 8, 3), (4, 8, 2), (4, 4, 2), (3, 9, 2), (8, 16, 2)]


def with_torchs(comm, cases):
    """Ours, torch's, and the orders that torch would keep on more ranks."""
    ran, theirs = train_all(comm, cases, TORCHS)
    orders = [torchs_interleaved_order(*sizes) for sizes in ORDERS] if comm.rank == 0 else []
    own = [train(comm, Case(own_schedule(name, comm.size), TINY, steps=1)) for name in TORCHS]
    return pickle.dumps((ran, theirs, orders, own))


def pickled(comm, cases):
    """Tensors by value: the process that made them is gone when they are read."""
    return pickle.dumps(train_all(comm, cases))


def test_two_processes_equal_one_process_and_torchs_pipelines(held):
    cases = [
        Case(gpipe(2, 4), TIED),
        Case(one_f_one_b(2, 4), TINY),
        Case(interleaved_1f1b(2, 4, 2), TINY, recompute=True),
        Case(zero_bubble_h1(2, 4), TIED),
    ]
    answers = [pickle.loads(answer) for answer in run_processes(2, with_torchs, cases)]
    alone = {config: single_process(config).as_dict() for config in (TINY, TIED)}
    for i, case in enumerate(cases):
        trace = joined([answer[0][i] for answer in answers], case.config)
        held(f"pipeline: {case.schedule.name}", "one process, gloo", trace.as_dict(), alone[case.config], 1e-5)
    for i, name in enumerate(TORCHS):
        ours = joined([answer[3][i] for answer in answers], TINY)
        gradients = {key: g for answer in answers for key, g in answer[1][name][0].items()}
        held(f"pipeline: {own_schedule(name, 2).name}", f"torch {name}", ours.gradients, gradients, 1e-7)
        losses = answers[-1][1][name][1]
        assert ours.losses[0] == pytest.approx(sum(losses) / len(losses), rel=1e-6)
    for (p, m, v), theirs in zip(ORDERS, answers[0][2], strict=True):
        schedule = interleaved_1f1b(p, m, v)
        for rank, actions in enumerate(schedule.actions):
            assert [f"{schedule.stage_of(rank, a)}{a.kind}{a.microbatch}" for a in actions] == theirs[rank]


def test_four_processes_equal_one_process(held):
    cases = [Case(one_f_one_b(4, 8), TIED), Case(gpipe(4, 3), TINY)]
    answers = [pickle.loads(answer) for answer in run_processes(4, pickled, cases)]
    alone = {config: single_process(config).as_dict() for config in (TINY, TIED)}
    for i, case in enumerate(cases):
        trace = joined([answer[0][i] for answer in answers], case.config)
        held(f"pipeline: {case.schedule.name}", "one process, gloo", trace.as_dict(), alone[case.config], 1e-5)
