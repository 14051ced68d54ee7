"""What a guess costs in a batch: c of the speed-up formula, measured where it will be paid.

Idea      The formula takes a pass over γ + 1 tokens to last as long as one over a single token. That holds while a step waits for its
          weights; with more texts it comes to wait for arithmetic, and testing a guess costs, too. So c is measured as what a step
          takes longer for each guess, drafting and testing together, and once for each of some numbers of texts. A server does
          this before it opens. `lengths` then drafts as many tokens as pay for as many texts as are there, or none: where α ≤ c, no
          number of guesses pays.
Equation  c(n) = (median t(n, γ) / t(n, 0) - 1) / γ,  t(n, γ) the time of a step of n outputs with γ guesses each
Paper     Y. Leviathan et al., "Fast inference from transformers via speculative decoding", ICML 2023, theorem 3.8 (a speed-up of
          (1 - α^(γ+1)) / ((1 - α)(γ c + 1))), corollary 3.9 (it is above 1 for some γ if α > c), section 3.3.
Cost      2 · (steps + 2) steps for each number of outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import median

import numpy as np

from mlsys_core.serving.drafts import Draft
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.lengths import FixedLength
from mlsys_core.serving.sampling import GREEDY, SamplingParams
from mlsys_core.serving.speculative_batch import Speculation
from mlsys_core.workloads.gpt import GPT


def measured_cost(
    engine: Callable[[Speculation], Engine],
    draft: GPT | Callable[[], Draft],
    prompts: Sequence[Sequence[int]],
    sizes: Sequence[int],
    *,
    params: SamplingParams = GREEDY,
    gamma: int = 1,
    steps: int = 10,
) -> Callable[[int], float]:
    """c by the number of outputs in a step: as measured at `sizes`, which rise, on straight lines between, and at the ends beyond.

    engine   makes one as it will serve, with the speculation that it is given; its clock is the measure
    draft    guesses always (n-grams do not, and cost nothing)
    params   how tokens will be drawn; to draw for a text without guesses takes its part of a step, too
    gamma    by default one guess, the dearest, since what a step with guesses takes beyond them is paid for one as for many
    prompts  texts like those that will be served, of the length that contexts will have; as many as the largest size

    Raises ValueError where `gamma` guesses for each output do not come in each step.
    """
    costs = []
    for outputs in sizes:
        asked = replace(params, max_tokens=(gamma + 1) * (steps + 3))
        plain, guessing = (
            _Served(engine(Speculation(draft, partial(FixedLength, g))), prompts[:outputs], asked) for g in (0, gamma)
        )
        # in turn, so that whatever else the machine does slows both
        longer = median(guessing.step() / plain.step() for _ in range(steps))
        if guessing.engine.metrics().drafted_tokens != outputs * gamma * (steps + 2):
            raise ValueError(
                f"Some step of {outputs} outputs had less than {gamma} drafted for each: measure with a draft that always guesses, "
                "and an engine whose budget, seats and memory have room for them."
            )
        costs.append(max(0.0, longer - 1) / gamma)
    return lambda outputs: float(np.interp(outputs, sizes, costs))


class _Served:
    """An engine that has read the prompts and has made one step more."""

    def __init__(self, engine: Engine, prompts: Sequence[Sequence[int]], params: SamplingParams) -> None:
        self.engine = engine
        for prompt in prompts:
            engine.add_request(prompt, params)
        engine.step()
        engine.step()

    def step(self) -> float:
        """Seconds that it takes."""
        start = self.engine.clock()
        self.engine.step()
        return self.engine.clock() - start
