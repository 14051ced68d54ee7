"""Speculative decoding: a cheap draft is checked in one pass of the model, and what comes out has the model's distribution exactly.

Idea      A pass over γ + 1 tokens takes a large model hardly longer than over one, since reading its weights is what takes time. So
          something cheap guesses γ tokens, the model says for all of them at once how likely each was, and the guesses are kept up to
          the first that is refused. That one is drawn anew, from what the draft gave too little of; if none is refused, one more token
          comes for free.
Equation  x ~ q is kept if u < p(x) / q(x), u uniform; else x ~ norm(max(0, p - q)):
          q(x) min(1, p(x)/q(x)) + (1 - Σ min(p, q)) · max(0, p(x) - q(x)) / Σ max(0, p - q) = p(x)
Paper     Y. Leviathan, M. Kalman, Y. Matias, "Fast inference from transformers via speculative decoding", ICML 2023, section 2.3,
          algorithm 1, appendix A.1; C. Chen et al., "Accelerating large language model decoding with speculative sampling",
          arXiv 2302.01318.
Cost      `expected_tokens` a round of γ drafts and one pass, in `papers.speculative`; `lengths` chooses γ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.serving.contiguous import Decoder
from mlsys_core.serving.drafts import Draft
from mlsys_core.serving.lengths import DraftLength, Round
from mlsys_core.serving.sampling import SamplingParams, generator_for, pick, probabilities
from mlsys_core.workloads.gpt import GPT


def acceptance_rate(p: Tensor, q: Tensor) -> Tensor:
    """Σ min(p, q) of distributions (…, V), (…): how often a token of q is kept, 1 less their total variation distance."""
    return torch.minimum(p, q).sum(-1)


def residual(p: Tensor, q: Tensor) -> Tensor:
    """norm(max(0, p - q)) of distributions (…, V): what a refused token is replaced from.

    Where q gives too much of nothing, nothing is ever refused; there it is p, so that it is a distribution everywhere.
    """
    missing = (p - q).clamp(min=0)
    total = missing.sum(-1, keepdim=True)
    return torch.where(total > 0, missing / total.where(total > 0, torch.ones_like(total)), p)


def verify(p: Tensor, q: Tensor, drafted: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """How many of the drafted tokens are kept (…), and the token (…) that follows those.

    p          the model's distributions (…, γ + 1, V) at the drafted places and after the last
    q          the distributions (…, γ, V) that the drafted tokens were drawn from
    drafted    tokens (…, γ)
    """
    uniform = torch.rand((*drafted.shape[:-1], drafted.shape[-1] + 1), dtype=torch.float64, generator=generator)
    return verify_at(p, q, drafted, uniform)


def verify_at(p: Tensor, q: Tensor, drafted: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """`verify` at given random numbers (…, γ + 1) in [0, 1): one for each drafted token, and one for the token that follows."""
    gamma = drafted.shape[-1]
    likely, drawn = (x.gather(-1, drafted[..., None])[..., 0] for x in (p[..., :gamma, :], q))
    # without a division: a token that the model never says is refused, and one of p = q never
    kept = uniform[..., :gamma] * drawn < likely
    accepted = kept.long().cumprod(-1).sum(-1)
    following = torch.cat((residual(p[..., :gamma, :], q), p[..., gamma:, :]), dim=-2)
    at = accepted[..., None, None].expand(*accepted.shape, 1, p.shape[-1])
    return accepted, pick(following.gather(-2, at).squeeze(-2), uniform[..., gamma])


@dataclass(frozen=True)
class Output:
    """What was generated, and the rounds that it took."""

    tokens: list[int]
    rounds: list[Round]

    @property
    def tokens_per_round(self) -> float:
        """Tokens a pass of the model; plain decoding has 1."""
        return sum(one.accepted + 1 for one in self.rounds) / len(self.rounds)


def speculate(target: GPT, draft: Draft, prompt: Sequence[int], lengths: DraftLength, params: SamplingParams) -> Output:
    """Tokens after the prompt with the distribution of `target`; with temperature 0 those of plain greedy decoding.

    Raises ValueError for an empty prompt, and for several outputs, which are several calls here.
    """
    if not prompt or params.n != 1:
        raise ValueError("One output after a prompt of at least one token can be generated at a time.")
    generator = generator_for(torch.Generator().seed() if params.seed is None else params.seed)
    tokens, rounds = list(prompt), list[Round]()
    end = len(tokens) + params.max_tokens
    decoder = Decoder(target, end)
    if prompt[:-1]:
        decoder.extend(torch.tensor([prompt[:-1]]))
    stopped: int | None = None
    while len(tokens) < end and stopped is None:
        # of the last token that may come, no draft would be left to keep
        drafted, q = draft.propose(tokens, min(lengths.next(), end - len(tokens) - 1), params, generator)
        logits = decoder.extend(torch.cat((torch.tensor(tokens[-1:]), drafted))[None])
        accepted, token = verify(probabilities(logits[0].cpu(), params), q, drafted, generator)
        seen = len(tokens)
        tokens += [*drafted[:accepted].tolist(), int(token)]
        decoder.rollback(len(tokens) - 1)
        rounds.append(Round(len(drafted), int(accepted)))
        lengths.record(rounds[-1])
        stopped = _stop(tokens, len(prompt), seen, params.stop)
    return Output(tokens[len(prompt) : stopped], rounds)


def _stop(tokens: list[int], first: int, seen: int, stop: tuple[tuple[int, ...], ...]) -> int | None:
    """Where the output ends, if one of its stop sequences ends after the first `seen` tokens: before the one that ends first."""
    for end in range(seen + 1, len(tokens) + 1):
        starts = [end - len(s) for s in stop if end - len(s) >= first and tuple(tokens[end - len(s) : end]) == s]
        if starts:
            return min(starts)
    return None
