"""A schedule that splits the backward: gradients of inputs first, those of weights where a rank would be idle.

Idea      1F1B waits while gradients travel back through whole backwards. With the halves apart only the first half is on the way,
          and rank r puts off the weights of r microbatches, which fills its wait at the end.
Equation  bubble = (p-1) (F + I - W) / (m (F + I + W)) for m ≥ p: a third of 1F1B's where F = I = W
Paper     P. Qi et al., "Zero bubble pipeline parallelism", ICLR 2024 (arXiv 2401.10241), section 2.1, schedule ZB-H1.
Cost      Activations of p microbatches on every rank, which is what 1F1B holds on the first.
"""

from __future__ import annotations

from fractions import Fraction

from mlsys_core.parallelism.pipeline.schedule import Action, Kind, Schedule, one_f_one_b


def zero_bubble_h1(ranks: int, microbatches: int) -> Schedule:
    """1F1B's order with each backward in two parts, the second put off by `rank` microbatches."""
    plain = one_f_one_b(ranks, microbatches)
    actions = tuple(_split(plain.actions[rank], rank) for rank in range(ranks))
    return Schedule("ZB-H1", ranks, microbatches, 1, actions, (min(ranks, microbatches),) * ranks)


def zero_bubble_cost(
    ranks: int, microbatches: int, forward: Fraction, gradient: Fraction, weight: Fraction
) -> Fraction:
    """Idle time of a rank by its useful time, with the times of a stage's forward and of the two parts of its backward.

    Holds for at least as many microbatches as ranks, and weights that take no longer than either of the other two.
    """
    return (ranks - 1) * (forward + gradient - weight) / (microbatches * (forward + gradient + weight))


def _split(actions: tuple[Action, ...], delay: int) -> tuple[Action, ...]:
    split: list[Action] = []
    waiting: list[Action] = []
    for action in actions:
        if action.kind is Kind.FORWARD:
            split.append(action)
            continue
        split.append(Action(Kind.INPUT, action.microbatch))
        waiting.append(Action(Kind.WEIGHT, action.microbatch))
        if len(waiting) > delay:
            split.append(waiting.pop(0))
    return (*split, *waiting)
