"""The ladder: one model, every method, fewer and fewer bits, and what each rung costs in perplexity.

Idea      A method is judged by the model that it leaves behind, on text that neither training nor calibration has seen. Calibration draws
          some windows of the training text; how much that draw matters is seen by drawing again.
Equation  perplexity = exp(mean of -ln p(next letter));   gap recovered = (ln p_plain - ln p_method) / (ln p_plain - ln p_exact)
Paper     E. Frantar et al., "GPTQ", ICLR 2023; J. Lin et al., "AWQ", MLSys 2024; G. Xiao et al., "SmoothQuant", ICML 2023:
          the same order of methods on larger models.
Cost      An evaluation for each rung and draw, and what `apply` takes to make it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from statistics import mean, stdev

import torch

from mlsys_core.compression.apply import model_bytes, quantize_gpt
from mlsys_core.compression.methods import AWQ, GPTQ, RTN, W8A8, Method
from mlsys_core.compression.rtn import Scheme
from mlsys_core.workloads import text
from mlsys_core.workloads.gpt import GPT
from mlsys_core.workloads.text import Codes
from mlsys_core.workloads.train import evaluate

METHODS: Mapping[str, Method | None] = {
    "exact": None,
    "RTN 8": RTN(Scheme(8)),
    "RTN 4": RTN(Scheme(4)),
    "GPTQ 4": GPTQ(Scheme(4), act_order=True),
    "AWQ 4": AWQ(Scheme(4)),
    "RTN 3": RTN(Scheme(3)),
    "GPTQ 3": GPTQ(Scheme(3), act_order=True),
    "AWQ 3": AWQ(Scheme(3)),
    "plain W8A8": W8A8(alpha=None),
    "SmoothQuant W8A8": W8A8(),
}


@dataclass(frozen=True)
class Rung:
    """A method's model: its bytes, and its losses in nats a letter, one for each draw of the calibration's text."""

    name: str
    nbytes: int
    losses: tuple[float, ...]

    @property
    def perplexity(self) -> float:
        """Of the mean loss."""
        return exp(mean(self.losses))

    @property
    def spread(self) -> float:
        """Standard deviation of the perplexity over draws; 0 for a method that looks at no text."""
        return stdev(map(exp, self.losses)) if len(self.losses) > 1 else 0.0


@dataclass(frozen=True)
class Text:
    """Codes to calibrate on and to judge by: `windows` of `time` letters each, `judged` batches of 8 of the latter."""

    calibration: Codes
    held_out: Codes
    time: int = 256
    windows: int = 16
    judged: int = 4

    def drawn(self, seed: int) -> torch.Tensor:
        """Tokens (windows, time) for a seed."""
        tokens, _ = next(text.batches(self.calibration, self.windows, self.time, 1, seed))
        return torch.from_numpy(tokens.copy())


def climb(
    model: GPT, corpus: Text, methods: Mapping[str, Method | None] = METHODS, seeds: Sequence[int] = (0, 1, 2)
) -> dict[str, Rung]:
    """The rungs by name, in the order of `methods`; None is the model itself. The model is on the CPU."""
    return {name: _rung(name, model, method, corpus, seeds) for name, method in methods.items()}


def _rung(name: str, model: GPT, method: Method | None, corpus: Text, seeds: Sequence[int]) -> Rung:
    draws = seeds if method is not None and (method.rescales or method.calibrates) else seeds[:1]
    made = [model if method is None else quantize_gpt(model, method, corpus.drawn(seed)) for seed in draws]
    judge = {"batch": 8, "time": corpus.time, "batches": corpus.judged}
    return Rung(name, model_bytes(made[0]), tuple(evaluate(one, corpus.held_out, **judge) for one in made))


def recovered(exact: Rung, plain: Rung, rescued: Rung) -> float:
    """The part of the loss of `plain` over `exact` that `rescued` does not have."""
    lost = mean(plain.losses) - mean(exact.losses)
    return (mean(plain.losses) - mean(rescued.losses)) / lost
