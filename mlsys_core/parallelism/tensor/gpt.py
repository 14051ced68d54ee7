"""A GPT of which each rank holds a slice of every layer.

Idea      Attention is cut by heads and the feed-forward part by inner features, so each needs one sum where it ends, and one
          where its gradient ends. With `sequence_parallel` what is between them (norms, residuals) is cut by time: the sum
          becomes a reduce-scatter where a part ends and an all-gather where the next begins, of the same volume together.
Equation  per layer and rank 4 bsh (p-1)/p numbers forward and as many backward, for batch b, sequence s, width h
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3; D. Narayanan et al., "Efficient large-scale language
          model training on GPU clusters using Megatron-LM", SC 2021; V. Korthikanti et al., arXiv 2205.05198, section 4.2.
Cost      `tensor_parallel_cost`, exact. What a part gathers is kept for the backward pass (the paper gathers it again).
"""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor, nn

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.tensor.cross_entropy import vocab_parallel_cross_entropy, vocab_parallel_cross_entropy_cost
from mlsys_core.parallelism.tensor.layers import (
    ColumnParallelLinear,
    RowParallelLinear,
    SequenceParallelNorm,
    VocabParallelEmbedding,
)
from mlsys_core.parallelism.tensor.regions import copy_to_region, gather_from_sequence_region
from mlsys_core.parallelism.volume import Volume, all_reduce_volume, one_way_volume
from mlsys_core.workloads.gpt import GPT, Block, GPTConfig, RMSNorm


class TensorParallelBlock(Block):
    """A block whose matrices are cut. Its input is whole on every rank, or a part of the sequence."""

    def __init__(self, whole: Block, comm: Communicator, *, sequence_parallel: bool) -> None:
        nn.Module.__init__(self)
        self.comm, self.sequence_parallel = comm, sequence_parallel
        self.attn_norm = _norm(whole.attn_norm, comm, sequence_parallel=sequence_parallel)
        self.ffn_norm = _norm(whole.ffn_norm, comm, sequence_parallel=sequence_parallel)
        self.attn, self.ffn = deepcopy(whole.attn), deepcopy(whole.ffn)
        for part, entries, exit_ in (
            (self.attn, ("q_proj", "k_proj", "v_proj"), "o_proj"),
            (self.ffn, ("gate_proj", "up_proj"), "down_proj"),
        ):
            for name in entries:
                setattr(part, name, ColumnParallelLinear(getattr(part, name), comm, input_is_copied=True))
            last = RowParallelLinear(getattr(part, exit_), comm, sequence_parallel=sequence_parallel)
            setattr(part, exit_, last)

    def _enter(self, x: Tensor) -> Tensor:
        return (gather_from_sequence_region if self.sequence_parallel else copy_to_region)(x, self.comm)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """x (B, T, dim) or (B, T/p, dim) -> same; positions (T,) of the whole sequence."""
        x = x + self.attn(self._enter(self.attn_norm(x)), positions)
        return x + self.ffn(self._enter(self.ffn_norm(x)))


class TensorParallelGPT(GPT):
    """Tokens (B, T), the same on every rank -> this rank's logits (B, T, V_r); `loss` is whole and the same on every rank."""

    def __init__(self, whole: GPT, comm: Communicator, *, sequence_parallel: bool = False) -> None:
        nn.Module.__init__(self)  # GPT's own would draw weights
        self.config, self.comm = whole.config, comm
        self.embed = VocabParallelEmbedding(whole.embed, comm, sequence_parallel=sequence_parallel)
        self.blocks = nn.ModuleList(
            TensorParallelBlock(block, comm, sequence_parallel=sequence_parallel) for block in whole.blocks
        )
        self.norm = _norm(whole.norm, comm, sequence_parallel=sequence_parallel)
        self.head = ColumnParallelLinear(whole.head, comm, sequence_parallel=sequence_parallel)
        if whole.config.tie_embeddings:
            self.head.weight = self.embed.weight

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats of targets (B, T) after tokens (B, T)."""
        logits = self(tokens).flatten(0, 1)
        return vocab_parallel_cross_entropy(logits, targets.flatten(), self.embed.first, self.comm).mean()


def parallelize(model: GPT, comm: Communicator, *, sequence_parallel: bool = False) -> TensorParallelGPT:
    """This rank's slice of a model that every rank has; the model itself is left as it is.

    Raises ValueError where heads, or heads of keys, cannot be shared evenly by the ranks.
    """
    for what, heads in (("heads", model.config.heads), ("heads of keys", model.config.kv_heads)):
        if heads % comm.size:
            raise ValueError(
                f"{heads} {what} cannot be shared evenly by {comm.size} ranks: a head is computed by one rank. "
                f"Use a number of ranks that divides {heads}."
            )
    return TensorParallelGPT(model, comm, sequence_parallel=sequence_parallel)


def tensor_parallel_cost(
    config: GPTConfig, tokens: int, ranks: int, *, element_size: int = 4, sequence_parallel: bool = False
) -> Volume:
    """Bytes that all ranks send in one step of `loss` on `tokens` = b s tokens, for any sizes that may be cut.

    A layer counts 2 all-reduces of b s h numbers each way, or as many pairs of reduce-scatter and all-gather; the embedding
    and the head one more together each way; the loss one all-gather; norms of parts of sequences their weights' gradients.
    """
    stream = tokens * config.dim * element_size
    once = one_way_volume(stream, ranks)
    layers = 4 * config.layers * once
    norms = (2 * config.layers + 1) * all_reduce_volume(config.dim * element_size, ranks) * sequence_parallel
    loss = vocab_parallel_cross_entropy_cost(tokens, ranks, element_size)
    return Volume(forward=layers + 2 * once + loss, backward=layers + 2 * once + norms)


def _norm(whole: RMSNorm, comm: Communicator, *, sequence_parallel: bool) -> RMSNorm:
    return SequenceParallelNorm(whole, comm) if sequence_parallel else deepcopy(whole)
