"""Bits where they matter: each layer gets its own precision, so that all together stay within so many bytes.

Idea      Layers differ in how much the model suffers when they are rounded. That is measured, one layer and one precision at a time; then
          bytes are spent. One may start with the fewest bits everywhere and go on to the step that saves most loss a byte, or find the
          best of all choices by keeping, layer after layer, only those that no other one beats in both bytes and loss.
Equation  min Σ_l cost(l, b_l) over b, subject to Σ_l bytes(l, b_l) ≤ budget;   cost(l, b) = loss with only l rounded to b bits - loss
Paper     Z. Dong et al., "HAWQ-V2", NeurIPS 2020 (choices on a frontier); H. Kellerer et al., "Knapsack problems", 2004,
          chapter 11 (multiple-choice knapsack).
Cost      Layers × precisions evaluations to measure; greedy O((L b)²); exact O(L b F) for a frontier of F choices, at most the number of
          different sums of bytes.

Losses of single layers are added up as if layers did not disturb each other, which holds while losses are small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.compression.apply import layer_names, quantize_gpt
from mlsys_core.compression.methods import Method
from mlsys_core.workloads.gpt import GPT


@dataclass(frozen=True)
class Option:
    """A precision of a unit: what it takes, and what it costs in loss."""

    nbytes: int
    cost: float


Options = Sequence[Sequence[Option]]  # of each unit
Choice = tuple[int, ...]  # which of its options each unit has


def totals(options: Options, choice: Choice) -> Option:
    """Bytes and cost of all units together."""
    chosen = [unit[i] for unit, i in zip(options, choice, strict=True)]
    return Option(sum(one.nbytes for one in chosen), sum(one.cost for one in chosen))


def greedy(options: Options, budget: int) -> Choice:
    """From the fewest bytes on, always the step of one unit that saves most cost a byte and fits, until none does."""
    choice = [min((one.nbytes, one.cost, i) for i, one in enumerate(unit))[2] for unit in options]
    left = budget - _least(options, budget)
    while steps := [
        ((unit[now].cost - one.cost) / (one.nbytes - unit[now].nbytes), u, i)
        for u, (unit, now) in enumerate(zip(options, choice, strict=True))
        for i, one in enumerate(unit)
        if 0 < one.nbytes - unit[now].nbytes <= left and one.cost < unit[now].cost
    ]:
        _, u, i = max(steps)
        left -= options[u][i].nbytes - options[u][choice[u]].nbytes
        choice[u] = i
    return tuple(choice)


def exact(options: Options, budget: int) -> Choice:
    """The choice with the least cost of all that fit."""
    _least(options, budget)
    frontier: list[tuple[int, float, Choice]] = [(0, 0.0, ())]
    for unit in options:
        grown = sorted(
            (nbytes + one.nbytes, cost + one.cost, (*choice, i))
            for nbytes, cost, choice in frontier
            for i, one in enumerate(unit)
            if nbytes + one.nbytes <= budget
        )
        frontier = []
        for state in grown:
            if not frontier or state[1] < frontier[-1][1]:
                frontier.append(state)
    # what is left rises in bytes and falls in cost, so the last is the best
    return frontier[-1][2]


def _least(options: Options, budget: int) -> int:
    """Bytes of the smallest choice; raises ValueError when not even that fits."""
    least = sum(min(one.nbytes for one in unit) for unit in options)
    if least > budget:
        raise ValueError(
            f"The fewest bits take {least} bytes, and {budget} may be used: allow more bytes or fewer bits."
        )
    return least


def parts(model: GPT) -> dict[str, tuple[str, ...]]:
    """Units of a model: the attention and the feed-forward layers of each block, by names."""
    names = layer_names(model)
    found = dict.fromkeys(name.rpartition(".")[0] for name in names)
    return {part: tuple(name for name in names if name.startswith(f"{part}.")) for part in found}


@torch.no_grad()
def sensitivity(
    model: GPT, units: Mapping[str, Sequence[str]], methods: Sequence[Method], tokens: Tensor, targets: Tensor
) -> dict[str, list[Option]]:
    """For each unit and method: bytes of the unit, and by how much the loss on tokens and targets (B, T) rises when it alone changes."""
    base = float(model.loss(tokens, targets))

    def measured(names: Sequence[str], method: Method) -> Option:
        changed = quantize_gpt(model, dict.fromkeys(names, method), tokens)
        nbytes = sum(int(changed.get_submodule(name).nbytes) for name in names)
        return Option(nbytes, float(changed.loss(tokens, targets)) - base)

    return {unit: [measured(names, method) for method in methods] for unit, names in units.items()}


def assigned(units: Mapping[str, Sequence[str]], methods: Sequence[Method], choice: Choice) -> dict[str, Method]:
    """What `quantize_gpt` takes: the method of each layer, by the choice of its unit."""
    return {name: methods[i] for names, i in zip(units.values(), choice, strict=True) for name in names}
