"""How much of the averaging of gradients is seen: what does not fit beside the rest of backward.

Idea      Bucket b can leave when its last gradient is there, and not before bucket b - 1 has arrived. What the step waits for is
          what ends after backward does.
Equation  exposed = max(0, max_b (c_b + … + c_B - (T - t_b))): from some bucket on, communication less what remained of backward;
          for all of it in a row from the first bucket on, max(0, C - (T - t_1)).
Paper     S. Li et al., VLDB 2020, section 3.2.3 (overlap of computation with communication).
Cost      A linear layer's backward is two matrix products, 4 FLOPs a weight and token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from mlsys_core.parallelism.communication import Communicator, Log

BACKWARD = "backward"


def backward_seconds(parameter: nn.Parameter, tokens: int, flops_per_s: float) -> float:
    """Time that a weight's part of backward takes: its gradient and that of its layer's input, 2 FLOPs a weight and token each."""
    return 4 * float(parameter.numel()) * tokens / flops_per_s


def clock_backward(module: nn.Module, comm: Communicator, seconds: Callable[[nn.Parameter], float]) -> None:
    """Lets the model's clock go on by `seconds(parameter)` when that parameter's gradient is done.

    Call it before the module is wrapped: hooks run in the order in which they were registered.
    """

    def tick(parameter: nn.Parameter) -> None:
        comm.compute(seconds(parameter), BACKWARD)

    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(tick)


def exposed_seconds(full_at: Sequence[float], transfers: Sequence[float], backward: float) -> float:
    """What a step waits for after a backward of so many seconds.

    `full_at` is when each bucket is full, in seconds from the start of backward; `transfers` how long its all-reduce takes.
    """
    left = [sum(transfers[place:]) - (backward - full) for place, full in enumerate(full_at)]
    return max(0.0, *left) if left else 0.0


def exposed_in(log: Log, rank: int) -> float:
    """The same from the log of a run: from the end of a rank's backward to the end of its last transfer beside it."""
    backward = max(span.ended_at for span in log.spans if span.rank == rank and span.name == BACKWARD)
    beside = max((span.ended_at for span in log.spans if span.rank == rank and span.track == "beside"), default=0.0)
    return max(0.0, beside - backward)
