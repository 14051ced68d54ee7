"""The tiny GPT trained with its optimizer states on the host, against torch's Adam."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mlsys_core.parallelism.offload import HostAdam
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.parallelism.training import LEARNING_RATE, TINY, batches, single_process


@pytest.mark.parametrize("chunk", [1 << 20, 97, 1024])
def test_training_with_states_on_the_host_is_torchs_adam(held, chunk):
    whole = single_process()
    found = single_process(optimizer=lambda parameters: HostAdam(parameters, lr=LEARNING_RATE, chunk=chunk))
    held("Adam on the host, tiny GPT", "single process, torch Adam", found.as_dict(), whole.as_dict(), 1e-6)


def test_every_gradient_goes_out_and_every_weight_comes_back_once_a_step():
    model = GPT(TINY)
    optimizer = HostAdam(list(model.parameters()), chunk=100)
    model.loss(*batches(TINY)[0]).backward()
    optimizer.step()
    assert optimizer.moved_bytes == 8 * sum(weight.numel() for weight in model.parameters())


def test_half_precision_weights_are_the_rounded_weights_of_the_host(held):
    draws = torch.Generator().manual_seed(3)
    start = torch.randn(7, 13, generator=draws).bfloat16()
    weight, twin = nn.Parameter(start.clone()), start.float().requires_grad_()
    optimizer, oracle = HostAdam([weight], lr=1e-3, chunk=10), torch.optim.Adam([twin], lr=1e-3)
    for _ in range(20):
        gradient = torch.randn(7, 13, generator=draws).bfloat16()
        weight.grad, twin.grad = gradient, gradient.float()
        optimizer.step()
        oracle.step()
    held("Adam on the host, fp32 weights", "torch Adam in fp32", optimizer.held[0].master.view(7, 13), twin, 1e-6)
    assert torch.equal(weight, optimizer.held[0].master.view(7, 13).bfloat16())
    moved = (weight.float() - start.float()).abs().max()
    assert moved > 0, "small steps add up on the host where bfloat16 alone would lose them"


def test_weights_without_a_gradient_stay():
    frozen, free = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = HostAdam([frozen, free])
    free.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(frozen, torch.ones(3))
    assert not torch.equal(free, torch.ones(3))
    optimizer.zero_grad()
    assert free.grad is None


def test_a_chunk_of_nothing_is_a_sentence():
    with pytest.raises(ValueError, match="moves nothing"):
        HostAdam([], chunk=0)
