"""Task 6: the right answers for many rows, and rows that are fair."""

from __future__ import annotations

import numpy as np
from speculation_oracle import Array, Call, rows_of, sigmas, tails


def many(call: Call) -> tuple[Array, Array]:
    """The same for many rows of the same distributions: column by column, without the loop over rows."""
    rows, gamma = call["drafted"].shape
    going, tokens = np.ones(rows, bool), np.full((rows, gamma + 1), -1, np.int64)
    accepted = np.zeros(rows, np.int64)
    for at in range(gamma + 1):
        p, last = call["target"][at], at == gamma
        q = np.zeros_like(p) if last else call["draft"][at]
        chosen = call["drafted"][:, at] if not last else np.zeros(rows, np.int64)
        passes = going & (not last) & (call["accept_u"][:, min(at, gamma - 1)] * q[chosen] < p[chosen])
        sums = np.cumsum(np.maximum(p - q, 0.0))
        drawn = np.minimum(np.searchsorted(sums, call["sample_u"] * sums[-1], side="right"), len(p) - 1)
        tokens[:, at] = np.where(passes, chosen, np.where(going, drawn, -1))
        accepted += passes
        going = passes
    return accepted, tokens


def fair_rows(rng: np.random.Generator, target: Array, draft: Array, rows: int) -> Call:
    """Rows for which the right answer looks random by a wide margin, so that chance fails nobody who is right."""
    while True:
        call = rows_of(rng, target, draft, rows)
        accepted, tokens = many(call)
        rate = np.minimum(target[0], draft[0]).sum()
        if min(tails(tokens, target)) > 0.01 and abs(sigmas(accepted, rate, len(draft))) < 2:
            return call
