"""Data parallelism is the single process's run, in fewer samples a rank; its log shows buckets that leave before backward ends."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mlsys_core.parallelism.collectives.ring import ring_all_reduce_cost, ring_all_reduce_sent
from mlsys_core.parallelism.communication import Fabric, run_processes, run_ranks
from mlsys_core.parallelism.data_parallel import MB, DistributedDataParallel, make_buckets
from mlsys_core.parallelism.overlap import backward_seconds, clock_backward, exposed_in, exposed_seconds
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.parallelism import ddp_programs
from tests.mlsys_core.parallelism.training import TINY, batches, single_process

TOLERANCE = 2e-5  # fp32 sums in another order, then ten steps of Adam


@pytest.mark.parametrize("size", [2, 4])
def test_training_in_processes_equals_the_single_process_and_torch(size, held):
    expected = single_process().as_dict()
    for whole, micro, theirs in run_processes(size, ddp_programs.train, timeout_s=100):
        held("data parallelism", "single process", whole.as_dict(), expected, TOLERANCE)
        if micro is not None:
            held("data parallelism, no_sync", "single process", micro.as_dict(), expected, TOLERANCE)
        held("data parallelism", "torch's DDP, gloo", whole.as_dict(), theirs.as_dict(), TOLERANCE)


def test_ranks_hold_the_same_bits_after_training():
    found, _ = run_ranks(3, ddp_programs.ours, TINY)
    for other in found[1:]:
        assert all(torch.equal(weight, other.weights[name]) for name, weight in found[0].weights.items())


def test_tied_weights_are_reduced_once_with_both_gradients(held):
    config = replace(TINY, tie_embeddings=True)
    found, log = run_ranks(2, ddp_programs.ours, config)
    held(
        "data parallelism, tied weights",
        "single process",
        found[1].as_dict(),
        single_process(config).as_dict(),
        TOLERANCE,
    )
    numbers = sum(p.numel() for p in GPT(config).parameters())
    buckets = [message for message in log.messages if message.label.startswith("bucket")]
    # two ranks, ring: each sends each number once, every step
    assert sum(message.size for message in buckets if message.source == 0) == 10 * 4 * numbers


class Mixed(nn.Module):
    """Uneven layers, a buffer, a frozen weight, and a branch that is taken or not."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second, self.side = nn.Linear(5, 7), nn.Linear(7, 3), nn.Linear(7, 3, bias=False)
        self.second.bias.requires_grad_(requires_grad=False)
        self.register_buffer("shift", torch.randn(7))

    def forward(self, x, branch):
        hidden = torch.tanh(self.first(x) + self.shift)
        return self.second(hidden) + (self.side(hidden) if branch else 0)


def mixed_models(size: int) -> list[Mixed]:
    """Made before the threads, which share torch's generator."""
    return [Mixed(rank) for rank in range(size)]


def data(size: int, rows: int = 4) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(5)
    return [torch.randn(rows, 5, generator=draws) for _ in range(size)]


def test_parameters_and_buffers_start_as_those_of_rank_0_and_frozen_ones_are_left_alone():
    models, rows = mixed_models(3), data(3)
    first = copy.deepcopy(models[0])

    def program(comm):
        ddp = DistributedDataParallel(models[comm.rank], comm)
        start = copy.deepcopy(models[comm.rank].state_dict())
        ddp(rows[comm.rank], branch=True).square().mean().backward()
        return start

    found, log = run_ranks(3, program)
    assert all(torch.equal(start[name], value) for start in found for name, value in first.state_dict().items())
    assert all(model.second.bias.grad is None for model in models)
    first(torch.cat(rows), branch=True).square().mean().backward()
    for model in models:
        for name, parameter in first.named_parameters():
            if parameter.requires_grad:
                torch.testing.assert_close(model.get_parameter(name).grad, parameter.grad)
    trained = sum(p.numel() for p in first.parameters() if p.requires_grad)
    assert sum(m.size for m in log.messages if m.label == "bucket 0" and m.source == 1) == 4 * ring_all_reduce_sent(
        3, trained, 1
    )


def test_a_parameter_without_a_gradient_is_an_error_that_names_it():
    models, rows = mixed_models(2), data(2)

    def program(comm):
        ddp = DistributedDataParallel(models[comm.rank], comm)
        ddp(rows[comm.rank], branch=comm.rank == 0).sum().backward()

    with pytest.raises(RuntimeError, match=r"No gradient came for side.weight on rank 1.*find_unused_parameters=True"):
        run_ranks(2, program)


def test_after_that_error_the_wrapper_works_on():
    (model,), (rows,) = mixed_models(1), data(1)

    def program(comm):
        ddp = DistributedDataParallel(model, comm)
        with pytest.raises(RuntimeError, match="No gradient came"):
            ddp(rows, branch=False).sum().backward()
        model.zero_grad()
        ddp(rows, branch=True).sum().backward()
        return model.side.weight.grad.clone()

    expected = torch.autograd.grad(model(rows, branch=True).sum(), model.side.weight)[0]
    assert torch.equal(run_ranks(1, program)[0][0], expected)


@pytest.mark.parametrize("users", [(), (1,), (0, 1, 2)])
def test_an_unused_parameter_counts_as_zero_where_it_is_unused_and_keeps_its_gradient_where_nobody_used_it(users):
    models, rows = mixed_models(3), data(3)
    single = copy.deepcopy(models[0])

    def program(comm):
        ddp = DistributedDataParallel(models[comm.rank], comm, bucket_cap_mb=0.0001, find_unused_parameters=True)
        ddp(rows[comm.rank], branch=comm.rank in users).square().mean().backward()

    run_ranks(3, program)
    loss = sum(single(x, branch=rank in users).square().mean() for rank, x in enumerate(rows)) / 3
    loss.backward()
    for model in models:
        assert (model.side.weight.grad is None) == (not users)
        for name, parameter in single.named_parameters():
            if parameter.grad is not None:
                torch.testing.assert_close(model.get_parameter(name).grad, parameter.grad)


def test_a_parameter_used_in_an_accumulated_step_alone_is_averaged_too():
    models, rows = mixed_models(2), data(2)
    single = copy.deepcopy(models[0])

    def program(comm):
        ddp = DistributedDataParallel(models[comm.rank], comm, find_unused_parameters=True)
        with ddp.no_sync():
            ddp(rows[comm.rank], branch=True).square().mean().backward()
        ddp(rows[comm.rank], branch=False).square().mean().backward()

    run_ranks(2, program)
    for branch in (True, False):
        single(torch.cat(rows), branch=branch).square().mean().backward()
    for model in models:
        torch.testing.assert_close(model.side.weight.grad, single.side.weight.grad)
        torch.testing.assert_close(model.first.weight.grad, single.first.weight.grad)


def test_an_uneven_last_batch_is_right_where_losses_are_weighted_by_their_samples():
    models, rows = mixed_models(3), data(3)
    rows = [rows[0], rows[1], rows[2][:1]]
    single, total = copy.deepcopy(models[0]), sum(map(len, rows))

    def program(comm):
        ddp = DistributedDataParallel(models[comm.rank], comm)
        weight = comm.size * len(rows[comm.rank]) / total
        (weight * ddp(rows[comm.rank], branch=True).square().mean()).backward()

    run_ranks(3, program)
    single(torch.cat(rows), branch=True).square().mean().backward()
    torch.testing.assert_close(models[2].first.weight.grad, single.first.weight.grad)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=12), st.integers(1, 400))
def test_buckets_hold_every_parameter_once_the_last_first_within_the_cap_and_of_one_dtype(sizes, cap):
    made = [nn.Parameter(torch.zeros(n, dtype=torch.float64 if wide else torch.float32)) for n, wide in sizes]
    buckets = make_buckets(made, cap)
    assert [id(p) for bucket in buckets for p in bucket.parameters()] == [id(p) for p in reversed(made)]
    assert [bucket.index() for bucket in buckets] == list(range(len(buckets)))
    for bucket, after in zip(buckets, [*buckets[1:], None], strict=True):
        filled = bucket.buffer().numel() * bucket.buffer().element_size()
        assert filled <= cap or len(bucket.parameters()) == 1
        assert [g.shape for g in bucket.gradients()] == [p.shape for p in bucket.parameters()]
        if after is not None and after.buffer().dtype == bucket.buffer().dtype:  # none is closed too early
            assert filled + after.parameters()[0].numel() * after.buffer().element_size() > cap


def one_step(comm, bucket_mb, flops_per_s):
    """A step of the tiny GPT on the model's clock."""
    model = GPT(TINY)
    clock_backward(model, comm, lambda p: backward_seconds(p, 64, flops_per_s))
    ddp = DistributedDataParallel(model, comm, bucket_cap_mb=bucket_mb)
    tokens, targets = (ddp_programs.mine(comm, t) for t in batches(TINY)[0])
    model.loss(tokens, targets).backward()
    return [bucket.buffer().numel() * 4 for bucket in ddp.buckets]


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize(("bucket_mb", "beta"), [(0.03, 1e-9), (0.03, 2e-8), (0.03, 3e-7), (0.01, 2e-8), (1, 2e-8)])
def test_what_is_seen_of_communication_in_the_log_is_the_formula(size, bucket_mb, beta):
    fabric = Fabric(alpha_s=2e-6, beta_s=beta)
    found, log = run_ranks(size, one_step, bucket_mb, 1e10, fabric=fabric)
    work = sorted(span.ended_at for span in log.spans if span.rank == 0 and span.name == "backward")
    start = min(span.begun_at for span in log.spans if span.name == "backward" and span.rank == 0)
    beside = sorted((s for s in log.spans if s.rank == 0 and s.track == "beside"), key=lambda s: s.begun_at)
    assert [span.name for span in beside] == [f"bucket {place}" for place in range(len(found[0]))]
    # a parameter's hook ticks before the wrapper's: a bucket is full when its last parameter has ticked
    full = _full_at(bucket_mb, 1e10)
    transfers = [ring_all_reduce_cost(size, n, fabric.alpha_s, fabric.beta_s) for n in found[0]]
    assert [span.ended_at - span.begun_at for span in beside] == pytest.approx(transfers)
    assert exposed_in(log, 0) == pytest.approx(exposed_seconds(full, transfers, work[-1] - start))
    # the last bucket cannot be hidden, and all of it is seen where there is one bucket alone
    assert transfers[-1] * (1 - 1e-9) <= exposed_in(log, 0) <= sum(transfers) * (1 + 1e-9)
    assert len(transfers) > 1 or exposed_in(log, 0) == pytest.approx(transfers[0])
    assert max(log.ended_at) == pytest.approx(work[-1] + exposed_in(log, 0))


def _full_at(bucket_mb, flops_per_s):
    """When each bucket is full, from the order in which torch gives the gradients of a run without communication."""
    model, order = GPT(TINY), []
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(order.append)
    model.loss(*batches(TINY)[0]).backward()
    now, at = 0.0, {}
    for parameter in order:
        now += backward_seconds(parameter, 64, flops_per_s)
        at[id(parameter)] = now
    full = [
        max(at[id(p)] for p in bucket.parameters()) for bucket in make_buckets(list(model.parameters()), bucket_mb * MB)
    ]
    return [max(full[: place + 1]) for place in range(len(full))]  # buckets leave in their order


def test_small_buckets_hide_most_of_what_one_bucket_shows():
    fabric = Fabric(alpha_s=1e-6, beta_s=2e-9)
    _, whole = run_ranks(4, one_step, 1, 1e10, fabric=fabric)
    _, parts = run_ranks(4, one_step, 0.03, 1e10, fabric=fabric)
    assert exposed_in(parts, 0) < 0.25 * exposed_in(whole, 0)
    early = [m for m in parts.messages if m.label == "bucket 0"]
    assert max(m.arrived_at for m in early) < max(s.ended_at for s in parts.spans if s.name == "backward")


@pytest.mark.parametrize(
    ("full", "transfers", "expected"),
    [
        ([4.0], [3.0], 3.0),
        ([1.0, 4.0], [2.0, 0.5], 0.5),
        ([1.0, 4.0], [5.0, 0.5], 2.5),
        ([1.0, 1.5, 4.0], [1.0, 3.0, 0.0], 1.0),
        ([], [], 0.0),
    ],
)
def test_exposed_time_by_hand(full, transfers, expected):
    assert exposed_seconds(full, transfers, 4.0) == pytest.approx(expected)
