"""Less is sent, nothing is lost: error feedback to the bit, bytes by formula, and losses near those of the whole gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mlsys_core.parallelism.collectives import chunk_sizes
from mlsys_core.parallelism.collectives.ring import ring_all_reduce_sent
from mlsys_core.parallelism.communication import run_processes, run_ranks
from mlsys_core.parallelism.compression import (
    OneBitAdam,
    OneBitMean,
    PowerSGDState,
    TopKState,
    powersgd_hook,
    topk_hook,
)
from mlsys_core.parallelism.compression.one_bit import compress, decompress, one_bit_sent, payload_bytes, volume_ratio
from mlsys_core.parallelism.compression.power_sgd import powersgd_factor, powersgd_numbers
from mlsys_core.parallelism.compression.top_k import topk_factor, topk_sent
from mlsys_core.parallelism.data_parallel import DistributedDataParallel, GradBucket, make_buckets
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.parallelism import compression_programs
from tests.mlsys_core.parallelism.training import TINY, batches, single_process


def dyadic(p: int, steps: int, *shape: int, seed: int = 0) -> torch.Tensor:
    """(steps, p, …) multiples of 2^-12 below 4 in float64: all sums and differences of them here are exact."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(-(2**14), 2**14, (steps, p, *shape), generator=draws).double() / 2**12


def hooked(gradients: torch.Tensor, make):
    """What a hook makes of gradients (steps, p, …), and its states: means (steps, …), the states by rank, the log."""
    p = gradients.shape[1]

    def program(comm):
        state, hook = make(comm)
        parameter = nn.Parameter(torch.zeros_like(gradients[0, 0]))
        bucket, means = GradBucket(0, [parameter]), []
        for gradient in gradients[:, comm.rank]:
            bucket.set_buffer(gradient.flatten().clone())
            means.append(hook(state, bucket).view(gradient.shape).clone())
        return torch.stack(means), state

    found, log = run_ranks(p, program)
    assert all(torch.equal(means, found[0][0]) for means, _ in found)
    return found[0][0], [state for _, state in found], log


@pytest.mark.parametrize("p", [2, 4, 8])
def test_top_k_has_sent_or_kept_every_bit_of_every_gradient(p):
    gradients = dyadic(p, 9, 50)
    means, states, _ = hooked(gradients, lambda comm: (TopKState(comm, 0.07), topk_hook))
    residual = sum(state.feedback.left[0] for state in states)
    assert torch.equal(means.sum(0) * p + residual, gradients.sum((0, 1)))
    for state in states:  # at least what was sent last is not left
        assert int((state.feedback.left[0] == 0).sum()) >= state.kept(50) == 4


def test_what_one_rank_sends_with_top_k_is_its_largest_and_what_it_keeps_is_the_rest():
    gradients = dyadic(1, 3, 40, seed=3)
    means, (state,), _ = hooked(gradients, lambda comm: (TopKState(comm, 0.1), topk_hook))
    left = torch.zeros(40, dtype=torch.float64)
    for gradient, sent in zip(gradients[:, 0], means, strict=True):
        wanted = gradient + left
        order = wanted.abs().argsort(descending=True)
        assert set(sent.nonzero().flatten().tolist()) == set(order[:4].tolist())
        assert torch.equal(sent[order[:4]], wanted[order[:4]])
        left = wanted - sent
        assert left.square().sum() <= (1 - 4 / 40) * wanted.square().sum()
    assert torch.equal(state.feedback.left[0], left)


@pytest.mark.parametrize("p", [2, 4])
@pytest.mark.parametrize(("n", "block"), [(64, 8), (61, 4), (3, 8), (33, 16)])
def test_one_bit_has_sent_or_kept_every_bit_of_every_tensor(p, n, block):
    """Scales are float32, so that what is left stays a short binary fraction, and float64 holds all sums exactly."""
    tensors = dyadic(p, 7, n, seed=n)

    def program(comm):
        mean = OneBitMean(comm, block)
        return torch.stack([mean(x) for x in tensors[:, comm.rank]]), mean.feedback.left

    found, _ = run_ranks(p, program)
    assert all(torch.equal(means, found[0][0]) for means, _ in found)
    workers = sum(left[0] for _, left in found)
    servers = torch.cat([left[1] for _, left in found])
    assert torch.equal((found[0][0].sum(0) + servers) * p + workers, tensors.sum((0, 1)))


@pytest.mark.parametrize("p", [2, 3])
def test_power_sgd_has_sent_or_kept_every_gradient(p):
    """Its factors are rounded, so this holds to rounding: on each rank for what it sent, and for the mean."""
    gradients = dyadic(p, 9, 12, 7, seed=1)
    means, states, _ = hooked(gradients, lambda comm: (PowerSGDState(comm, 2, min_compression_rate=1), powersgd_hook))
    residual = sum(state.feedback.left[0] for state in states).view(12, 7)
    torch.testing.assert_close(means.sum(0) * p + residual, gradients.sum((0, 1)), rtol=0, atol=1e-12)
    assert residual.abs().max() > 0.1


@pytest.mark.parametrize(
    "make", [lambda c: (TopKState(c, 0.05), topk_hook), lambda c: (PowerSGDState(c, 1), powersgd_hook)]
)
def test_the_invariant_holds_in_float32_to_rounding(make):
    gradients = torch.randn(20, 3, 16, 24, generator=torch.Generator().manual_seed(2))
    means, states, _ = hooked(gradients, make)
    residual = sum(state.feedback.left[0] for state in states).view(16, 24)
    torch.testing.assert_close(means.sum(0) * 3 + residual, gradients.sum((0, 1)), rtol=0, atol=1e-4)


def test_without_feedback_what_is_left_out_is_lost():
    gradients = dyadic(2, 9, 12, 7)
    make = lambda comm: (PowerSGDState(comm, 1, min_compression_rate=1, use_error_feedback=False), powersgd_hook)  # noqa: E731
    means, states, _ = hooked(gradients, make)
    assert all(not state.feedback.left for state in states)
    assert (means.sum(0) * 2 - gradients.sum((0, 1))).abs().max() > 1


def test_power_sgd_is_the_best_approximation_when_a_gradient_stays(held):
    """Warm starts make it power iteration: after some steps it is the truncated singular value decomposition."""
    draws = torch.Generator().manual_seed(4)
    left, right = (torch.linalg.qr(torch.randn(n, n, generator=draws, dtype=torch.float64)).Q for n in (9, 6))
    still = left[:, :6] @ torch.diag(torch.tensor([8.0, 4, 1, 0.5, 0.2, 0.1], dtype=torch.float64)) @ right.T
    gradients = still.expand(30, 2, 9, 6)
    make = lambda comm: (PowerSGDState(comm, 2, min_compression_rate=0, use_error_feedback=False), powersgd_hook)  # noqa: E731
    means, _, _ = hooked(gradients, make)
    u, s, v = torch.linalg.svd(still)
    held("PowerSGD, warm start", "truncated SVD", means[-1], u[:, :2] @ torch.diag(s[:2]) @ v[:2], 1e-10)
    cold = lambda comm: (PowerSGDState(comm, 2, 0, 0.0, use_error_feedback=False, warm_start=False), powersgd_hook)  # noqa: E731
    assert (hooked(gradients, cold)[0][-1] - means[-1]).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (4, 4), (6, 2, 3), (1, 7)])
def test_at_full_rank_power_sgd_is_the_mean(shape, held):
    gradients = torch.randn(3, 3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients[1] = 0  # no direction at all, which must not be the end
    means, states, _ = hooked(gradients, lambda comm: (PowerSGDState(comm, 99, 0, 0.0), powersgd_hook))
    held("PowerSGD, full rank", "mean of gradients", means, gradients.mean(1), 1e-12)
    # what a rank has left out is orthogonal to the mean's columns, and the ranks' parts of it cancel
    assert sum(state.feedback.left[0] for state in states).abs().max() < 1e-12


@pytest.mark.parametrize("p", [2, 3, 5])
def test_bytes_on_the_wire_are_the_formulas(p):
    """Of the tiny GPT's gradients in buckets, from the log."""
    models = [GPT(TINY) for _ in range(p)]
    tokens, targets = (t[:p] for t in batches(TINY)[0])
    hooks = {
        "top-k": lambda comm: (TopKState(comm, 0.01), topk_hook),
        "power": lambda comm: (PowerSGDState(comm, 2), powersgd_hook),
    }

    def program(comm):
        model = models[comm.rank]
        for name, make in hooks.items():
            ddp = DistributedDataParallel(model, comm, bucket_cap_mb=0.03)
            ddp.register_comm_hook(*make(comm))
            with comm.label(name):
                before = comm.sent_bytes
                model.loss(tokens[comm.rank :][:1], targets[comm.rank :][:1]).backward()
                counted[name, comm.rank] = comm.sent_bytes - before
            for parameter in model.parameters():  # the next wrapper's hooks alone
                parameter._post_accumulate_grad_hooks.clear()

    counted: dict[tuple[str, int], int] = {}
    run_ranks(p, program)
    buckets = make_buckets(list(models[0].parameters()), 0.03 * 1024 * 1024)
    topk, power = TopKState(None, 0.01), PowerSGDState(None, 2)
    for rank in range(p):
        assert counted["top-k", rank] == sum(topk_sent(p, topk.kept(b.buffer().numel())) for b in buckets)
        lengths = [n for b in buckets for n in powersgd_numbers([q.shape for q in b.parameters()], power)]
        assert counted["power", rank] == 4 * sum(ring_all_reduce_sent(p, n, rank) for n in lengths)


@pytest.mark.parametrize("p", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("n", [0, 3, 40, 1003])
def test_one_bit_sends_the_bytes_of_its_formula(p, n):
    _, log = run_ranks(p, lambda comm: OneBitMean(comm, 16)(torch.ones(n)))
    assert [log.sent_bytes(rank) for rank in range(p)] == [one_bit_sent(p, n, rank, 16) for rank in range(p)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1000, 1000, width=32), max_size=40), st.integers(1, 20))
def test_a_bit_an_element_gives_back_the_sign_and_the_mean_magnitude_of_the_block(numbers, block):
    x = torch.tensor(numbers, dtype=torch.float32)
    payload = compress(x, block)
    assert payload.dtype == torch.uint8
    assert len(payload) == payload_bytes(len(x), block)
    expected = [torch.where(part >= 0, 1.0, -1.0) * part.abs().mean() for part in x.split(block)] if len(x) else [x]
    torch.testing.assert_close(decompress(payload, len(x), block, torch.float32), torch.cat(expected))


def test_factors_of_the_papers():
    """PowerSGD's table 3 (ResNet18 on CIFAR-10: 243 x, 136 x, 72 x) from the shapes; 1-bit Adam's volume from its warm-up."""
    shapes, width = [(64, 3, 3, 3), (10, 512), (10,), *[(64,)] * 2], 64
    for out in (64, 128, 256, 512):
        for _ in range(2):
            shapes += [(out, width, 3, 3), (out, out, 3, 3), *[(out,)] * 4]
            if width != out:
                shapes += [(out, width, 1, 1), *[(out,)] * 2]
            width = out
    assert sum(torch.Size(shape).numel() for shape in shapes) == 11_173_962
    assert [round(powersgd_factor(shapes, PowerSGDState(None, rank))) for rank in (1, 2, 4)] == [243, 136, 72]
    assert 1 / volume_ratio(0.0) == 32
    assert volume_ratio(1.0) == 1
    assert 1 / volume_ratio(0.15, full_bits=16) == pytest.approx(4.92, abs=0.01)
    assert topk_factor(4, 1000, 10) == pytest.approx(2 * 4 * 1000 / (4 * 10 * 8))


@pytest.mark.parametrize("size", [2, 4])
def test_what_loses_nothing_is_the_single_process_and_torchs_hook_is_ours(size, held):
    expected = single_process()
    for everything, full, warm, pairs in run_processes(size, compression_programs.exact, timeout_s=100):
        held("top-k, all of them", "single process", everything.as_dict(), expected.as_dict(), 2e-5)
        held("PowerSGD, full rank", "single process", full.gradients, expected.gradients, 1e-6)
        held("1-bit Adam, warm-up", "single process, torch's Adam", warm.as_dict(), expected.as_dict(), 2e-5)
        for ours, theirs in pairs:
            held("PowerSGD, rank 2", "torch's powerSGD_hook, gloo", ours, theirs, 1e-10)


SMALL = replace(TINY, layers=1)
HOOKS = {
    "top-k": lambda comm: (TopKState(comm, 0.1), topk_hook),
    "power": lambda comm: (PowerSGDState(comm, 4, min_compression_rate=1), powersgd_hook),
}


def memorize(comm, kind, models):
    """Losses of 80 steps on one batch."""
    model = models[comm.rank]
    tokens, targets = (t.chunk(comm.size)[comm.rank] for t in batches(SMALL)[0])
    if kind == "1-bit":
        wrapped, optimizer = model, OneBitAdam(model.parameters(), comm, warmup_steps=10, lr=5e-3)
    else:
        wrapped, optimizer = DistributedDataParallel(model, comm), torch.optim.Adam(model.parameters(), lr=5e-3)
        if kind != "exact":
            wrapped.register_comm_hook(*HOOKS[kind](comm))
    losses = []
    for _ in range(80):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(wrapped(tokens).flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_the_tiny_gpt_learns_nearly_as_well_for_a_fraction_of_the_bytes():
    def ends(kind):
        found, log = run_ranks(2, memorize, kind, [GPT(SMALL) for _ in range(2)])
        means = [sum(losses) / 2 for losses in zip(*found, strict=True)]
        return means[0], means[-1], log.sent_bytes(0)

    first, whole, everything = ends("exact")
    assert whole < 0.02 * first
    for kind, share in {"top-k": 0.22, "power": 0.27, "1-bit": 0.16}.items():
        _, last, sent = ends(kind)
        assert last - whole < 0.05 * (first - whole), kind
        assert sent < share * everything, kind


def test_one_bit_adam_leaves_a_weight_that_never_had_a_gradient_and_ranks_stay_alike():
    def program(comm):
        weight = nn.Parameter(torch.ones(10))
        optimizer = OneBitAdam([weight], comm, warmup_steps=2, lr=0.1, block=4)
        draws = torch.Generator().manual_seed(comm.rank)
        for _ in range(6):
            weight.grad = torch.randn(10, generator=draws)
            weight.grad[3] = 0.0
            assert optimizer.step(lambda: 5.0) == 5.0
        return weight.detach()

    found, _ = run_ranks(3, program)
    assert all(torch.equal(weight, found[0]) for weight in found)
    assert found[0][3] == 1.0
    assert (found[0][:3] - 1).abs().min() > 0
    assert chunk_sizes(10, 3) == [4, 3, 3]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TopKState(None, 0.0), "density of 0.0 is no share"),
        (lambda: TopKState(None, 1.5), "density of 1.5 is no share"),
        (lambda: OneBitAdam([nn.Parameter(torch.ones(2))], None, warmup_steps=0), "warmup_steps of 1 or more"),
        (
            lambda: OneBitAdam([{"params": [nn.Parameter(torch.ones(2))]} for _ in range(2)], None, warmup_steps=1),
            "give them in one group",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(make, said):
    with pytest.raises(ValueError, match=said):
        make()
