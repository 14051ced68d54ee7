"""Attention with one head of keys on many chips: every chip has them all, or each has those of some sequences.

Idea      Queries come cut by heads. With one head of keys for all of them, to keep that cut means that every chip holds and reads all
          keys. Cut by sequences, a chip holds and reads an n-th of them; for that the queries of its sequences are brought together,
          and what was read goes back, which is little: one token's queries against a whole context's keys.
Equation  by heads: O_r = softmax(Q_r Kᵀ / √D) V;   by sequences: all-to-all (B, H/n) -> (B/n, H), the same there, and back
Paper     R. Pope et al., "Efficiently scaling transformer inference", MLSys 2023, section 3.3 and figure 4; N. Shazeer,
          arXiv 1911.02150 (one head of keys).
Cost      `attention_cost`: by heads 2 B S D elements read by a chip; by sequences 2 B S D/n, and 2 B H D (n - 1)/n² sent.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.collectives import all_to_all_single
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.workloads.devices import Device


@dataclass(frozen=True)
class AttentionCost:
    """Elements of keys and values that a chip holds and reads for a token of each sequence, and elements that it sends."""

    read: int
    sent: int


def head_sharded_attention(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """q (B, H/n, D) of this chip's heads, keys and values (B, S, D) of all sequences, on every chip -> (B, H/n, D). Nothing is sent."""
    read = F.scaled_dot_product_attention(q[:, :, None], keys[:, None], values[:, None], enable_gqa=True)
    return read[:, :, 0]


def batch_sharded_attention(q: Tensor, keys: Tensor, values: Tensor, comm: Communicator) -> Tensor:
    """q (B, H/n, D) of this chip's heads, keys and values (B/n, S, D) of its sequences -> (B, H/n, D).

    Raises ValueError where the sequences do not divide.
    """
    batch, heads, width = q.shape
    if batch % comm.size or batch // comm.size != len(keys):
        raise ValueError(
            f"{batch} sequences for {comm.size} chips, of which this one has the keys of {len(keys)}: "
            "give a multiple, and each chip its part."
        )
    # rows go to the chips of their sequences; what comes is one block of heads a chip
    mine = all_to_all_single(torch.empty_like(q), q.contiguous(), comm)
    mine = mine.view(comm.size, len(keys), heads, width).transpose(0, 1).flatten(1, 2)
    read = head_sharded_attention(mine, keys, values)
    read = read.unflatten(1, (comm.size, heads)).transpose(0, 1).contiguous()
    return all_to_all_single(torch.empty_like(q), read.flatten(0, 1), comm)


def attention_cost(
    batch: int, heads: int, width: int, context: int, chips: int, *, by_sequences: bool
) -> AttentionCost:
    """What a chip reads and sends for one token of each sequence, exact where the sizes divide."""
    cache = 2 * batch * context * width
    if not by_sequences:
        return AttentionCost(cache, 0)
    return AttentionCost(cache // chips, 2 * (batch * heads * width * (chips - 1) // chips**2))


def crossover_context(heads: int, chips: int, device: Device) -> float:
    """Tokens of context from which on it is faster to cut by sequences, where sending is not hidden behind reading.

    2 B S D (1 - 1/n) elements less are read, and 2 B H D (n - 1)/n² more are sent: S = H/n · bandwidth / link.
    """
    return heads / chips * device.bandwidth / device.link
