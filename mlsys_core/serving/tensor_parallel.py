"""Decoding with the model and its cache cut by heads: each rank reads its part of the weights and of the keys for every token.

Idea      A token of a small batch takes as long as reading the weights does, so p ranks that read a p-th each are up to p times as fast,
          and hold a p-th of the cache. What they send is two sums of a token's width a layer: little in bytes, but each is waited for.
          Where there are fewer heads of keys than ranks, a head is held by several.
Equation  o = Σ_r W_o,r attention(q_r, K_r, V_r);   rank r of p holds keys of head ⌊r k/p⌋ where k < p, of heads r k/p … else
Paper     M. Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3; R. Pope et al., "Efficiently scaling transformer inference",
          MLSys 2023, section 3.3 (few heads of keys are copied); J. Ainslie et al., "GQA", EMNLP 2023.
Cost      `pass_cost` bytes sent by all ranks, `rank_cache_bytes` held by each, both exact.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import all_gather_into_tensor
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.tensor import parallelize
from mlsys_core.parallelism.tensor.regions import gather
from mlsys_core.parallelism.volume import all_reduce_volume, one_way_volume
from mlsys_core.serving.contiguous import Decoder, cache_bytes
from mlsys_core.serving.sampling import SamplingParams, generator_for, probabilities, sample
from mlsys_core.workloads.gpt import GPT, GPTConfig

PAIR_BYTES = 16  # a logit and its token, in float64, which holds both exactly


class TensorParallelDecoder:
    """This rank's slice of a model that every rank has, with this rank's part of the cache. All ranks call the same methods."""

    def __init__(self, model: GPT, comm: Communicator, capacity: int) -> None:
        """Raises ValueError where heads cannot be shared evenly by the ranks, nor ranks by the heads of keys."""
        self.comm, heads = comm, model.config.kv_heads
        if comm.size > heads:
            model = repeat_kv_heads(model, comm.size)
        self._model = parallelize(model, comm)
        self._decoder = Decoder(self._model, capacity)

    @property
    def held_bytes(self) -> int:
        """Bytes of keys and values on this rank."""
        return self._decoder.held_bytes

    def logits(self, tokens: Tensor) -> Tensor:
        """Reads tokens (B, T); the logits (B, V) after the last, whole and the same on every rank."""
        return gather(self._slice(tokens), -1, self._model.head.sizes, self.comm)

    def greedy(self, tokens: Tensor) -> Tensor:
        """Reads tokens (B, T); the most likely token (B,) after the last. Each rank tells the others its best, and no more."""
        best = self._slice(tokens).double().max(-1)
        own = torch.stack((best.values, (best.indices + self._model.embed.first).double()))
        told = all_gather_into_tensor(own.new_empty(self.comm.size * 2, len(tokens)), own, self.comm)
        # of equal ones the first rank's, whose tokens come first, as argmax of the whole has it
        return told[1::2].gather(0, told[0::2].argmax(0, keepdim=True))[0].long()

    def _slice(self, tokens: Tensor) -> Tensor:
        return self._decoder.extend(tokens)[:, -1]


def generate(comm: Communicator, model: GPT, prompts: Tensor, params: SamplingParams) -> Tensor:
    """Tokens (B, max_tokens) after prompts (B, T) of one length, the same on every rank; `params.seed` is that of the whole batch.

    Every rank draws from the same distributions with the same random numbers, so that none has to tell the others its token.
    """
    decoder = TensorParallelDecoder(model, comm, prompts.shape[1] + params.max_tokens)
    draws, unread, found = generator_for(params.seed or 0), prompts, list[Tensor]()
    for _ in range(params.max_tokens):
        if params.temperature == 0:
            found.append(decoder.greedy(unread))
        else:
            found.append(sample(probabilities(decoder.logits(unread), params), draws))
        unread = found[-1][:, None]
    return torch.stack(found, 1)


def repeat_kv_heads(model: GPT, heads: int) -> GPT:
    """The same function with each head of keys written several times, `heads` in all. Raises ValueError for no multiple."""
    few, width = model.config.kv_heads, model.config.head_dim
    if heads % few:
        raise ValueError(f"{few} heads of keys cannot be shared evenly by {heads} ranks: use a multiple or a divisor.")
    made: GPT = GPT(replace(model.config, kv_heads=heads)).to(model.embed.weight.dtype)
    state = model.state_dict()
    for name, weight in state.items():
        if name.endswith(("k_proj.weight", "v_proj.weight")):
            state[name] = weight.unflatten(0, (few, width)).repeat_interleave(heads // few, 0).flatten(0, 1)
    made.load_state_dict(state)
    return made


def pass_cost(
    config: GPTConfig, sequences: int, tokens: int, ranks: int, *, greedy: bool, element_size: int = 4
) -> int:
    """Bytes that all ranks send when they read `tokens` tokens of each sequence and choose the next one.

    Two all-reduces a layer and one of the embedding; then every rank's best pair, or all logits after the last tokens.
    """
    stream = sequences * tokens * config.dim * element_size
    sums = (2 * config.layers + 1) * all_reduce_volume(stream, ranks)
    if greedy:
        return sums + ranks * (ranks - 1) * sequences * PAIR_BYTES
    return sums + one_way_volume(sequences * config.vocab_size * element_size, ranks)


def rank_cache_bytes(config: GPTConfig, tokens: int, ranks: int, element_size: int = 4) -> int:
    """Bytes of keys and values of so many tokens on each rank: a p-th of all, but never less than a head's."""
    heads = max(1, config.kv_heads // ranks)
    return cache_bytes(config, tokens, element_size) // config.kv_heads * heads
