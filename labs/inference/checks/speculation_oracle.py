"""Task 6: drafts and uniform numbers, the laws that results follow, and models that are tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray
Call = dict[str, Array]


def law(rng: np.random.Generator, vocabulary: int) -> Array:
    """A distribution, uneven."""
    weights = rng.gamma(0.8, size=vocabulary) + 0.02
    return np.asarray(weights / weights.sum())


def draft_of(rng: np.random.Generator, p: Array, rate: float) -> Array:
    """A distribution q with Σ min(p, q) = rate, nearly: p mixed with one that lies elsewhere."""
    far = np.zeros_like(p)
    order = rng.permutation(len(p))
    order = order[np.argsort(p[order], kind="stable")]
    far[order[: len(p) // 4]] = 1.0 / (len(p) // 4)  # where p has least
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(p, (1 - middle) * p + middle * far).sum() > rate else (low, middle)
    return np.asarray((1 - low) * p + low * far)


def rows_of(rng: np.random.Generator, target: Array, draft: Array, rows: int) -> Call:
    """Drafted tokens by their own laws, and uniform numbers, for the same distributions in every row."""
    drafted = np.stack([rng.choice(len(q), size=rows, p=q / q.sum()) for q in draft], axis=1) if len(draft) else None
    drafted = np.zeros((rows, 0), np.int64) if drafted is None else drafted
    uniform = {"accept_u": rng.random(drafted.shape), "sample_u": rng.random(rows)}
    return {"target": target, "draft": draft, "drafted": drafted} | uniform


def chi_square_tail(distance: float, freedom: int) -> float:
    """P(X > distance) of a chi-square law with whole degrees of freedom: the finite sum that integration by parts gives."""
    if distance <= 0:
        return 1.0
    half, odd = distance / 2, freedom % 2
    powers = (i + odd / 2 for i in range(freedom // 2))
    terms = sum(math.exp(a * math.log(half) - half - math.lgamma(a + 1)) for a in powers)
    return terms + (math.erfc(math.sqrt(half)) if odd else 0.0)


def tail(counts: Array, p: Array) -> float:
    """The chance of counts at least this far from the law p, by chi-square; 0 for a token that the law does not have."""
    total = counts.sum()
    if counts[p <= 0].any():
        return 0.0
    held = p > 0
    if total == 0 or held.sum() < 2:
        return 1.0
    distance = ((counts[held] - total * p[held]) ** 2 / (total * p[held])).sum()
    return chi_square_tail(float(distance), int(held.sum()) - 1)


def tails(tokens: Array, target: Array) -> list[float]:
    """For each place, `tail` of the tokens that stand there."""
    size = target.shape[1]
    return [
        tail(np.bincount(column[column >= 0], minlength=size), p) for column, p in zip(tokens.T, target, strict=True)
    ]


def expected_tokens(rate: float, gamma: int) -> float:
    """(1 - α^(γ+1)) / (1 - α), summed term by term so that α = 1 is no exception."""
    return float(sum(rate**i for i in range(gamma + 1)))


def sigmas(accepted: Array, rate: float, gamma: int) -> float:
    """By how many standard errors the mean of accepted + 1 misses the formula, for places with the same acceptance."""
    spread = float(accepted.std()) / np.sqrt(len(accepted))
    return (float(accepted.mean()) + 1 - expected_tokens(rate, gamma)) / max(spread, 1e-12)


def check_pair(expect: Any, got: Any, rows: int, gamma: int, vocabulary: int) -> tuple[Array, Array]:
    """`accepted` and `tokens` of an answer, of the right form, and consistent with each other."""
    formed = isinstance(got, dict) and all(isinstance(got.get(name), np.ndarray) for name in ("accepted", "tokens"))
    expect.that(formed, "the call returned no pair of arrays")
    accepted, tokens = got["accepted"], got["tokens"]
    whole = accepted.dtype.kind in "iu" and tokens.dtype.kind in "iu"
    expect.that(whole, "accepted and tokens are arrays of whole numbers")
    shapes = accepted.shape == (rows,) and tokens.shape == (rows, gamma + 1)
    expect.that(shapes, f"expected shapes ({rows},) and ({rows}, {gamma + 1}), got {accepted.shape} and {tokens.shape}")
    accepted, tokens = accepted.astype(np.int64), tokens.astype(np.int64)
    expect.that(((accepted >= 0) & (accepted <= gamma)).all(), f"a row accepts no number from 0 to {gamma}")
    there = np.arange(gamma + 1) <= accepted[:, None]
    expect.that(
        ((tokens >= 0) == there).all() and (tokens[~there] == -1).all() and (tokens < vocabulary).all(),
        "a row has its accepted tokens, one that was drawn, and -1 in the places left over",
    )
    return accepted, tokens


def check_rows(expect: Any, got: Any, call: Call) -> None:
    """An answer of `verify`, row by row: what was accepted, what was not, and where the drawn token lies."""
    rows, gamma = call["drafted"].shape
    accepted, tokens = check_pair(expect, got, rows, gamma, call["target"].shape[-1])
    for row in range(rows):
        target, draft = (one[row] if one.ndim == 3 else one for one in (call["target"], call["draft"]))
        drafted, count = call["drafted"][row], accepted[row]
        kept = [call["accept_u"][row, i] * draft[i, drafted[i]] < target[i, drafted[i]] for i in range(gamma)]
        right = all(kept[:count]) and not any(kept[count : count + 1])
        expect.that(right, f"row {row} accepts {count} tokens, and its places say {[bool(one) for one in kept]}")
        expect.that((tokens[row, :count] == drafted[:count]).all(), f"row {row} keeps other tokens than were drafted")
        weights = target[count] if count == gamma else np.clip(target[count] - draft[count], 0.0, None)
        sums = np.concatenate([[0.0], np.cumsum(weights)])
        at, drawn = call["sample_u"][row] * sums[-1], tokens[row, count]
        right = sums[drawn] <= at < sums[drawn + 1]
        expect.that(right, f"row {row} draws token {drawn}, which is not what sample gives for the right weights")


def tables(rng: np.random.Generator, vocabulary: int, noise: float) -> tuple[Array, Array]:
    """Logits of a draft and a target by the last two tokens; the more noise, the less they agree."""
    target = rng.normal(size=(vocabulary, vocabulary, vocabulary))
    return target + noise * rng.normal(size=target.shape), target


def written(table: Array, prompt: list[int], length: int) -> list[int]:
    """What a model writes alone."""
    tokens = list(prompt)
    for _ in range(length):
        tokens.append(int(table[tokens[-2], tokens[-1]].argmax()))
    return tokens[len(prompt) :]


def steps_needed(draft: Array, answer: list[int], prompt: list[int], gamma: int) -> int:
    """Calls of the target for this answer."""
    tokens, steps, at = [*prompt, *answer], 0, len(prompt)
    while at < len(tokens):
        agreed = 0
        while agreed < gamma and at + agreed < len(tokens):
            before = tokens[at + agreed - 2 : at + agreed]
            if int(draft[before[0], before[1]].argmax()) != tokens[at + agreed]:
                break
            agreed += 1
        at, steps = at + agreed + 1, steps + 1
    return steps


class DraftedRun:
    """Steps whose drafted tokens are accepted with a chance that may change; what each γ would have yielded is known to the judge."""

    def __init__(self, rng: np.random.Generator, rates: Array, cost: float, longest: int) -> None:
        self.rates, self.cost, self.longest = rates, cost, longest
        self.lucky = rng.random((len(rates), longest))

    def accepted(self, step: int, gamma: int) -> int:
        """Of so many drafted tokens in this step."""
        return int(np.cumprod(self.lucky[step, :gamma] < self.rates[step]).sum())

    def speed(self, gammas: Array) -> float:
        """Mean tokens a unit of time for these choices, one for each step."""
        tokens = [expected_tokens(float(rate), int(gamma)) for rate, gamma in zip(self.rates, gammas, strict=True)]
        return float(np.sum(tokens) / np.sum(1 + self.cost * gammas))

    def best_fixed(self) -> float:
        """The same for the best γ that never changes."""
        return max(self.speed(np.full(len(self.rates), gamma)) for gamma in range(self.longest + 1))
