"""The loss of logits that are cut by words is torch's cross-entropy, and sends two numbers a token."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mlsys_core.parallelism.collectives import chunk_sizes
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.tensor import vocab_parallel_cross_entropy, vocab_parallel_cross_entropy_cost


def program(comm, logits, targets, cotangent):
    """Losses, and this rank's columns of the gradient."""
    sizes = chunk_sizes(logits.shape[1], comm.size)
    own = logits.split(sizes, 1)[comm.rank].clone().requires_grad_()
    losses = vocab_parallel_cross_entropy(own, targets, sum(sizes[: comm.rank]), comm)
    losses.backward(cotangent)
    return losses.detach(), own.grad


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize(("ranks", "words"), [(1, 4), (2, 7), (3, 10), (8, 29)])
def test_losses_and_gradients_are_torchs(ranks, words, scale, held):
    draws = torch.Generator().manual_seed(words)
    logits = scale * torch.randn(13, words, generator=draws, dtype=torch.float64)
    targets = torch.randint(words, (13,), generator=draws)
    cotangent = torch.randn(13, generator=draws, dtype=torch.float64)
    results, _ = run_ranks(ranks, program, logits, targets, cotangent)
    whole = logits.clone().requires_grad_()
    expected = F.cross_entropy(whole, targets, reduction="none")
    expected.backward(cotangent)
    for losses, _ in results:
        held("vocab-parallel cross-entropy", "F.cross_entropy", losses, expected, 1e-12)
    grad = torch.cat([grad for _, grad in results], 1)
    held("vocab-parallel cross-entropy", "F.cross_entropy", grad, whole.grad, 1e-12)


@pytest.mark.parametrize("ranks", [1, 2, 3, 8, 16])
def test_what_is_sent_does_not_grow_with_the_vocabulary(ranks):
    for words in (16, 331):
        logits, targets = torch.randn(5, words), torch.randint(words, (5,))
        _, log = run_ranks(ranks, program, logits, targets, torch.ones(5))
        assert sum(message.size for message in log.messages) == vocab_parallel_cross_entropy_cost(5, ranks)


def test_a_word_of_which_the_model_is_sure_costs_nothing_whichever_rank_has_it():
    for target in range(6):
        logits = torch.full((1, 6), -1e4)
        logits[0, target] = 1e4
        results, _ = run_ranks(3, program, logits, torch.tensor([target]), torch.ones(1))
        assert [losses.item() for losses, _ in results] == [0.0, 0.0, 0.0]
        assert not torch.cat([grad for _, grad in results]).any()
