"""Attention to a part of the keys, and how parts become the whole.

Idea      The softmax over all keys is a mean of the softmaxes over parts, weighted by the parts' sums of exponentials. So a part's
          output needs only the log of its sum beside it, and parts may come in any order.
Equation  O = Σ_b e^{L_b - L} O_b,  L = log Σ_b e^{L_b},  L_b = log Σ_{j in b} e^{s_j};   with L known, P_b = e^{S_b - L} gives the
          gradients of a part alone: V̄_b = P_bᵀ Ō,  S̄_b = P_b ⊙ (Ō V_bᵀ - Σ Ō ⊙ O),  Q̄ += S̄_b K_b/√d,  K̄_b = S̄_bᵀ Q/√d
Paper     M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867; T. Dao, "FlashAttention-2",
          arXiv 2307.08691, sections 3.1.1 and 3.1.2.
Cost      4 T S D FLOPs a head forward (two products), 10 T S D backward (five, the scores once more).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FORWARD_PRODUCTS, BACKWARD_PRODUCTS = 2, 5


class Part(NamedTuple):
    """Output (B, K, G, T, D) of attention to some keys, and the log of the sum of exponentials (B, K, G, T)."""

    out: Tensor
    lse: Tensor


def by_group(q: Tensor, kv_heads: int) -> Tensor:
    """q (B, H, T, D) -> (B, K, H/K, T, D): the queries that share a head of keys stand together."""
    return q.unflatten(1, (kv_heads, -1))


def nothing_read(q: Tensor) -> Part:
    """What queries (B, K, G, T, D) have before they read from any key."""
    return Part(torch.zeros_like(q), q.new_full(q.shape[:-1], -torch.inf))


def attend_block(q: Tensor, k: Tensor, v: Tensor, *, diagonal: bool) -> Part:
    """q (B, K, G, T, D), k and v (B, K, S, D); `diagonal`: T = S and query i reads keys 0 … i."""
    scores = _scores(q, k, diagonal=diagonal)
    lse = scores.logsumexp(-1)
    return Part((scores - lse[..., None]).exp() @ v[:, :, None], lse)


def merge(one: Part, other: Part) -> Part:
    """Attention to the keys of both."""
    lse = torch.logaddexp(one.lse, other.lse)
    weigh = [(part.lse - lse).exp()[..., None] * part.out for part in (one, other)]
    return Part(weigh[0] + weigh[1], lse)


def block_gradients(
    g: Tensor, q: Tensor, kv: tuple[Tensor, Tensor], whole: Part, *, diagonal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of the gradients of q, k and v that come from one block of keys.

    g (B, K, G, T, D) is the cotangent of the whole output, `whole` the output over all keys with its log-sum.
    """
    k, v = kv
    weights = (_scores(q, k, diagonal=diagonal) - whole.lse[..., None]).exp()
    scores = g @ v[:, :, None].mT - (g * whole.out).sum(-1, keepdim=True)
    scores = weights * scores * q.shape[-1] ** -0.5
    return scores @ k[:, :, None], (scores.mT @ q).sum(2), (weights.mT @ g).sum(2)


def block_flops(q: Tensor, keys: int, products: int) -> int:
    """FLOPs of so many products of queries (B, K, G, T, D) with `keys` keys."""
    return 2 * products * int(q.numel()) * keys


def _scores(q: Tensor, k: Tensor, *, diagonal: bool) -> Tensor:
    scores = q @ k[:, :, None].mT * q.shape[-1] ** -0.5
    if not diagonal:
        return scores
    return scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
