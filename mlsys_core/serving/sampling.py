"""From logits to a token: greedy, temperature, top-k and top-p, and a draw that depends on one uniform number only.

Idea      Temperature flattens or sharpens the distribution; top-k and top-p cut its tail, where a model is least to be trusted. A token is
          then drawn by inverting the distribution's sum at a uniform number, so a request's tokens depend on its own random numbers and
          on nothing else in the batch.
Equation  p_i ∝ exp(z_i / T);   top-k keeps the k largest;   top-p the shortest list of the most likely whose sum is at least P;
          token = min {i : p_0 + … + p_i > u},  u uniform in [0, 1)
Paper     A. Fan, M. Lewis, Y. Dauphin, "Hierarchical neural story generation", ACL 2018, section 5.3 (top-k); A. Holtzman et al.,
          "The curious case of neural text degeneration", ICLR 2020, section 3.1 (top-p, "nucleus").
Cost      A sort of the vocabulary where top-k or top-p asks for one; otherwise a few passes over it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamplingParams:
    """What a request asks of its tokens.

    max_tokens   tokens to generate at most
    temperature  0 takes the most likely token each time
    top_p        the part of the probability to draw from, in (0, 1]
    top_k        how many of the most likely tokens to draw from; 0 for all
    stop         token sequences that end the output and are no part of it
    seed         of the random numbers; two requests with one seed get the same tokens. None draws a seed.
    n            how many outputs
    """

    max_tokens: int = 16
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[tuple[int, ...], ...] = ()
    seed: int | None = None
    n: int = 1

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"A request for {self.max_tokens} tokens has nothing to generate: ask for at least 1.")
        if not 0.0 <= self.temperature < float("inf"):
            raise ValueError(f"A temperature of {self.temperature} gives no distribution: use 0 for greedy, or more.")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p is {self.top_p}, which is no part of the probability: use more than 0, up to 1.")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}: use the number of tokens to keep, or 0 for all of them.")
        if self.n < 1:
            raise ValueError(f"A request for {self.n} outputs has nothing to do: ask for at least 1.")
        if any(not sequence for sequence in self.stop):
            raise ValueError("An empty stop sequence would end every output before it begins: leave it out.")


GREEDY = SamplingParams(temperature=0.0)


def probabilities(logits: Tensor, params: SamplingParams = SamplingParams()) -> Tensor:
    """Distributions (…, V) in float64 that tokens are drawn from, for logits (…, V). Equal logits count in the order of their tokens."""
    z = logits.double()
    if params.temperature == 0.0:
        return torch.zeros_like(z).scatter_(-1, z.argmax(-1, keepdim=True), 1.0)
    p = torch.softmax((z - z.amax(-1, keepdim=True)) / params.temperature, dim=-1)  # a small T makes no infinity
    if params.top_k in range(1, z.shape[-1]) or params.top_p < 1.0:
        p = _cut(p, params)
    return p


def probabilities_each(logits: Tensor, params: Sequence[SamplingParams]) -> Tensor:
    """`probabilities` of logits (B, …, V), each of the B by rules of its own; those with the same rules are computed at once."""
    rules = defaultdict[tuple[float, float, int], list[int]](list)
    for i, one in enumerate(params):
        rules[one.temperature, one.top_p, one.top_k].append(i)
    if len(rules) == 1:
        return probabilities(logits, params[0])
    p = torch.empty_like(logits, dtype=torch.float64)
    for rows in rules.values():
        p[rows] = probabilities(logits[rows], params[rows[0]])
    return p


def sample(distribution: Tensor, generator: torch.Generator) -> Tensor:
    """Tokens (…) drawn from distributions (…, V), with one random number for each; the generator is a CPU's."""
    uniform = torch.rand(distribution.shape[:-1], dtype=torch.float64, generator=generator)
    return pick(distribution, uniform)


def pick(distribution: Tensor, uniform: Tensor) -> Tensor:
    """Tokens (…), int64, of distributions (…, V) at numbers (…) in [0, 1). No token of probability 0 is ever picked."""
    sums = distribution.double().cumsum(-1)
    # The last sum is 1 up to rounding; scaled by it, a number just below 1 still meets a token that has some probability.
    at = uniform.to(sums)[..., None] * sums[..., -1:]
    last = (distribution > 0).long().cumsum(-1).argmax(-1)
    return torch.searchsorted(sums, at, right=True)[..., 0].minimum(last)


def log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """The model's own, before temperature and cuts, in nats and float32: of tokens (…) under logits (…, V)."""
    return logits.float().log_softmax(-1).gather(-1, tokens[..., None])[..., 0]


def generator_for(seed: int, choice: int = 0) -> torch.Generator:
    """Random numbers of one of a request's outputs: those of choice i are the same whether a request asks for i + 1 outputs or more."""
    digest = hashlib.blake2b(f"{seed}/{choice}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def _cut(p: Tensor, params: SamplingParams) -> Tensor:
    """Keeps the most likely tokens of (…, V) and gives them the probability of the others in proportion."""
    ordered, tokens = p.sort(dim=-1, descending=True, stable=True)
    if params.top_k:
        ordered[..., params.top_k :] = 0.0
        ordered /= ordered.sum(-1, keepdim=True)
    # A token stays if those before it do not reach P yet. The first always stays.
    ordered[ordered.cumsum(-1) - ordered >= params.top_p] = 0.0
    kept = torch.zeros_like(p).scatter_(-1, tokens, ordered)
    return kept / kept.sum(-1, keepdim=True)
