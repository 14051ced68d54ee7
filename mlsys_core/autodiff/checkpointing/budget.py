"""The cheapest checkpoints for a chain of layers that fit into a budget of bytes.

Idea      The first layer of a chain is either recorded, and its tape stays until its turn comes; or it begins a segment
          that is run without a record and done again later, with its own optimal plan inside. Both leave a shorter chain
          with less memory, so dynamic programming over (first, last, bytes) finds the best plan of this form.
Equation  C(s, s, m) = f_s                                   if kept_s ≤ m, else ∞
          C(s, t, m) = min( f_s + C(s+1, t, m - kept_s),
                            min_k Σ_{s ≤ i < k} f_i + C(k, t, m - out_{k-1}) + C(s, k-1, m - out_{k-1}) )
Paper     O. Beaumont, L. Eyraud-Dubois, J. Hermann, A. Joly, A. Shilova, "Optimal checkpointing for heterogeneous chains:
          how to train deep neural networks with limited memory", arXiv:1911.13214, 2019, theorem 1. Theirs counts cotangents
          too; here the bytes are those that the tape keeps, in which the output of a segment stays while it is redone.
Cost      O(n³ · slots) time for n layers and a budget cut into slots; exact when the budget has no more bytes than slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import inf


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer: cost of a forward run, bytes of its output, bytes that its tape keeps, output included and input not."""

    cost: float
    output: int
    kept: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Layer number `layer` is recorded, and `rest` follows, if anything does."""

    layer: int
    rest: Plan | None


@dataclass(frozen=True, slots=True)
class Redone:
    """The segment `inside` is run without a record and done again by its own plan; `rest` follows it."""

    inside: Plan
    rest: Plan


Plan = Recorded | Redone


class BudgetError(ValueError):
    """No plan fits into the budget."""


def layers(plan: Plan | None) -> list[int]:
    """The layers of a plan in order."""
    found: list[int] = []
    while plan is not None:
        found += [plan.layer] if isinstance(plan, Recorded) else layers(plan.inside)
        plan = plan.rest
    return found


def cost(plan: Plan | None, stages: Sequence[Stage]) -> float:
    """Cost of all forward runs of a plan, those that are done again included."""
    if plan is None:
        return 0.0
    if isinstance(plan, Recorded):
        return stages[plan.layer].cost + cost(plan.rest, stages)
    once = sum(stages[i].cost for i in layers(plan.inside))
    return once + cost(plan.inside, stages) + cost(plan.rest, stages)


def peak(plan: Plan | None, stages: Sequence[Stage]) -> int:
    """Bytes that the tape keeps at most while a plan is run forward and backward."""
    if plan is None:
        return 0
    if isinstance(plan, Recorded):
        return stages[plan.layer].kept + peak(plan.rest, stages)
    output = stages[layers(plan.inside)[-1]].output
    return output + max(peak(plan.rest, stages), peak(plan.inside, stages))


def optimal(stages: Sequence[Stage], budget: int, *, slots: int = 500) -> Plan:
    """The plan of least cost whose peak is at most `budget` bytes.

    A budget of more than `slots` bytes is counted in `slots` equal parts, and sizes are rounded up to them, so the plan
    fits all the same. Raises ValueError for an empty chain, and BudgetError when nothing fits, with the least that does.
    """
    if not stages:
        raise ValueError("A chain without layers has nothing to plan.")
    unit = max(1, -(-budget // slots))
    found = _solve(_rounded(stages, unit), budget // unit)
    if found is None:
        raise BudgetError(
            f"No checkpoints keep the tape below {budget} bytes: the cheapest of memory needs about {_least(stages)}."
        )
    return found


def _rounded(stages: Sequence[Stage], unit: int) -> list[Stage]:
    return [Stage(s.cost, -(-s.output // unit), -(-s.kept // unit)) for s in stages]


def _solve(stages: Sequence[Stage], budget: int) -> Plan | None:
    upto = [0.0, *accumulate(s.cost for s in stages)]

    @cache
    def best(s: int, t: int, m: int) -> tuple[float, int]:
        """The least cost of layers s to t in m bytes, and the first layer after the segment to redo (s for none)."""
        if stages[s].kept > m:
            found = inf, s
        elif s == t:
            return stages[s].cost, s
        else:
            found = stages[s].cost + best(s + 1, t, m - stages[s].kept)[0], s
        for k in range(s + 1, t + 1):
            left = m - stages[k - 1].output
            if left >= 0:
                found = min(found, (upto[k] - upto[s] + best(k, t, left)[0] + best(s, k - 1, left)[0], k))
        return found

    def built(s: int, t: int, m: int) -> Plan:
        k = best(s, t, m)[1]
        if k == s:
            return Recorded(s, built(s + 1, t, m - stages[s].kept) if s < t else None)
        left = m - stages[k - 1].output
        return Redone(built(s, k - 1, left), built(k, t, left))

    last = len(stages) - 1
    return None if best(0, last, budget)[0] == inf else built(0, last, budget)


def _least(stages: Sequence[Stage]) -> int:
    """The least peak of any plan."""

    @cache
    def least(s: int, t: int) -> int:
        if s == t:
            return stages[s].kept
        splits = (stages[k - 1].output + max(least(k, t), least(s, k - 1)) for k in range(s + 1, t + 1))
        return min(stages[s].kept + least(s + 1, t), *splits)

    return least(0, len(stages) - 1)
