"""Cross-entropy of logits that are cut by words: no rank ever sees a whole row.

Idea      The normalizer of a softmax over the vocabulary follows from the normalizers of its parts. Each rank tells, for each
          token, the log of its part's sum and the target's logit if it has it: two numbers in place of V/p.
Equation  loss = log Σ_r e^{z_r} - x_target,  z_r = log Σ_{v of r} e^{x_v};   x̄_v = (e^{x_v - z} - [v = target]) ȳ
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3 (the loss is fused with the parallel logits).
Cost      One all-gather of 2 N numbers a rank for N tokens, 2 (p-1) N e bytes sent by each; none backward.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import all_gather_into_tensor
from mlsys_core.parallelism.communication import Communicator


class _VocabParallelCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, first: int, comm: Communicator) -> Tensor:
        column = targets - first
        here = (column >= 0) & (column < logits.shape[1])
        column = column.where(here, torch.zeros_like(column))
        chosen = logits.gather(1, column[:, None])[:, 0] * here
        own = torch.stack((logits.logsumexp(1), chosen))
        told = all_gather_into_tensor(own.new_empty((comm.size * 2, len(targets))), own, comm)
        normalizer = told[0::2].logsumexp(0)
        ctx.save_for_backward(logits, normalizer, column, here)
        return normalizer - told[1::2].sum(0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        logits, normalizer, column, here = ctx.saved_tensors
        grad = (logits - normalizer[:, None]).exp()
        grad.scatter_add_(1, column[:, None], -here[:, None].to(grad.dtype))
        return grad * grads[0][:, None], None, None, None


def vocab_parallel_cross_entropy(logits: Tensor, targets: Tensor, first: int, comm: Communicator) -> Tensor:
    """Loss of each token in nats, (N,), the same on every rank.

    logits (N, V_r) are this rank's, of words first … first + V_r - 1; targets (N,) are words of the whole vocabulary.
    """
    losses: Tensor = _VocabParallelCrossEntropy.apply(logits, targets, first, comm)
    return losses


def vocab_parallel_cross_entropy_cost(tokens: int, ranks: int, element_size: int = 4) -> int:
    """Bytes that all ranks send together: every rank's two numbers a token to each of the others."""
    return ranks * (ranks - 1) * 2 * tokens * element_size
