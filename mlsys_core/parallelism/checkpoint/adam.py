"""Between a model with torch's Adam in one process and the states of a checkpoint.

Idea      What Adam remembers of a weight has the weight's shape, so it is cut and put together as the weight is.
Equation  m ← β₁ m + (1-β₁) g,  v ← β₂ v + (1-β₂) g²: `exp_avg` and `exp_avg_sq`, and the number of steps
Paper     D. Kingma, J. Ba, "Adam", ICLR 2015, algorithm 1.
Cost      8 bytes a parameter beside its 4 in fp32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.checkpoint.files import CheckpointError
from mlsys_core.parallelism.checkpoint.reshape import RankState

KINDS = ("exp_avg", "exp_avg_sq")


def adam_states(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict[str, dict[str, Tensor]], int]:
    """Moments by kind and then by the weight's name, and the steps taken; zeros where none was."""
    states: dict[str, dict[str, Tensor]] = {kind: {} for kind in KINDS}
    steps = 0
    for name, weight in model.named_parameters():
        kept = optimizer.state.get(weight, {})
        for kind in KINDS:
            states[kind][name] = kept.get(kind, torch.zeros_like(weight))
        steps = max(steps, int(kept.get("step", 0)))
    return states, steps


def restore(model: nn.Module, optimizer: torch.optim.Optimizer, state: RankState) -> None:
    """Gives a model of one rank and its optimizer a state that was loaded at `Layout()`."""
    begin = 0
    for name, weight in model.named_parameters():
        if name not in state.weights or state.weights[name].shape != weight.shape:
            raise CheckpointError(
                f"The checkpoint is of another model: it has no {name} of shape {tuple(weight.shape)}."
            )
        with torch.no_grad():
            weight.copy_(state.weights[name])
        part = slice(begin, begin + weight.numel())
        moments = {kind: state.states[kind][part].view(weight.shape).clone() for kind in KINDS}
        optimizer.state[weight] = {"step": torch.tensor(float(state.step)), **moments}
        begin += weight.numel()
