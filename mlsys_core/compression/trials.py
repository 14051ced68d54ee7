"""The methods on the small model: what each one costs or saves, measured on text that it never saw, for several seeds.

Idea      A claim about compression is a difference of losses, and a difference has a spread. A seed draws the texts that a method looks at,
          the windows that it is judged by, and whatever else is random; all methods of a seed are judged by the same windows.
Equation  recovered = (damaged - after) / (damaged - before), losses in nats a letter
Paper     Each method names its own.
Cost      A minute and a quarter a seed on one core for all three, and the control.

`python -m mlsys_core.compression.trials` prints the tables that docs/library quotes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from statistics import mean

import torch
from torch import Tensor

from mlsys_core.compression.calibration import LINEARS
from mlsys_core.compression.distillation import Distillation, distill
from mlsys_core.compression.lora import add_lora
from mlsys_core.compression.masks import Pattern
from mlsys_core.compression.pruning import METHODS, half, prune, two_of_four
from mlsys_core.compression.rtn import Scheme, quantize
from mlsys_core.workloads import small_model, text
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.text import Codes
from mlsys_core.workloads.train import TrainConfig, evaluate, train

PATTERNS: Mapping[str, Callable[[str], Pattern]] = {"50 %": half, "2:4": two_of_four}
STUDENT = GPTConfig(vocab_size=65, context=64, dim=48, layers=2, heads=4, kv_heads=2, ffn=128)


@dataclass(frozen=True)
class Recovery:
    """Losses of a model before it was damaged, after that, and after training made good for it."""

    before: float
    damaged: float
    after: float

    @property
    def recovered(self) -> float:
        """The part of the damage that is gone."""
        return (self.damaged - self.after) / (self.damaged - self.before)


def corpus() -> tuple[Codes, Codes]:
    """Letters to learn from, and those held out."""
    return text.split(small_model.VOCABULARY().encode(text.load()))


def calibration_tokens(codes: Codes, seed: int, windows: int = 8, time: int = 256) -> Tensor:
    """Tokens (windows, time) of the text."""
    tokens, _ = next(text.batches(codes, windows, time, 1, seed))
    return torch.from_numpy(tokens.copy())


def sparsity_trial(
    seed: int, *, windows: int = 8, batches: int = 8, patterns: Iterable[str] = PATTERNS
) -> dict[tuple[str, str], float]:
    """Loss held out by (pattern, method), and the unpruned model's as ("dense", ""), calibrated on `windows` windows of 256 letters.

    All are judged by the same `batches` batches of 8 windows. At 50 % one batch cannot tell Wanda from magnitude.
    """
    codes, held_out = corpus()
    tokens, dense = calibration_tokens(codes, seed, windows), small_model.load()

    def loss(model: GPT) -> float:
        return float(evaluate(model, held_out, batch=8, time=256, batches=batches, seed=seed))

    losses = {("dense", ""): loss(dense)}
    for name in patterns:
        for method in METHODS:
            model = deepcopy(dense)
            prune(model, tokens, method, PATTERNS[name](method), seed=seed)
            losses[name, method] = loss(model)
    return losses


@torch.no_grad()
def round_blocks(model: GPT, bits: int) -> None:
    """Every Linear of the blocks to the nearest of 2^bits levels of its row, in place: the damage."""
    for block in model.blocks:
        for name in LINEARS:
            weight = block.get_parameter(f"{name}.weight")
            weight.copy_(quantize(weight, Scheme(bits)).dequantize())


def lora_trial(
    seed: int, *, bits: int | None = 3, steps: int = 200, rank: int = 8, batch: int = 8, time: int = 64
) -> Recovery:
    """Rounds the small model to `bits` bits, or not at all, and trains adapters on it."""
    codes, held_out = corpus()
    model = small_model.load()

    def loss() -> float:
        return float(evaluate(model, held_out, batch=16, time=256, batches=1, seed=seed))

    before = loss()
    if bits is not None:
        round_blocks(model, bits)
    damaged = loss()
    add_lora(model, rank, alpha=2 * rank, seed=seed)
    config = TrainConfig(
        steps=steps, batch=batch, time=time, learning_rate=5e-3, warmup=steps // 10, weight_decay=0.0, seed=seed
    )
    train(model, codes, config)
    return Recovery(before, damaged, loss())


def distillation_trial(
    seed: int, *, letters: int = 20_000, steps: int = 300, batch: int = 16, distillation: Distillation | None = None
) -> tuple[float, float]:
    """Losses held out of a student that learns `letters` letters alone, and of the same student with the small model as its teacher.

    Both start from the same weights and see the same windows.
    """
    codes, held_out = corpus()
    config = TrainConfig(steps=steps, batch=batch, time=32, learning_rate=5e-3, warmup=20, weight_decay=0.1, seed=seed)
    alone, helped = GPT(STUDENT, seed), GPT(STUDENT, seed)
    train(alone, codes[:letters], config)
    distill(helped, small_model.load(), codes[:letters], config, distillation)
    first, second = (evaluate(model, held_out, batch=32, batches=2, seed=seed) for model in (alone, helped))
    return first, second


def spread(values: Sequence[float], form: str = ".3f") -> str:
    """The mean, and the least and the largest, each in this form."""
    return f"{mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def sparsity_table(seeds: Sequence[int]) -> Iterator[str]:
    """Losses by pattern and method, and what each one costs: by how much it is behind the unpruned model of its seed."""
    found = [sparsity_trial(seed) for seed in seeds]
    for pattern, method in found[0]:
        losses = [one[pattern, method] for one in found]
        costs = [one[pattern, method] - one["dense", ""] for one in found]
        yield f"{pattern:5} {method:9} {spread(losses)}  costs {spread(costs)}"
    for pattern in PATTERNS:
        ahead = [one[pattern, "magnitude"] - one[pattern, "wanda"] for one in found]
        yield f"{pattern:5} wanda is ahead of magnitude by {spread(ahead)}"


def lora_table(seeds: Sequence[int]) -> Iterator[str]:
    """Losses, the part of the damage that is gone, and that part where what adapters do for a model that is not rounded is taken off."""
    found = [lora_trial(seed) for seed in seeds]
    for name in ("before", "damaged", "after"):
        yield f"3 bits, {name:8} {spread([getattr(one, name) for one in found])}"
    yield f"of the damage gone {spread([one.recovered for one in found], '.0%')}"
    controls = [lora_trial(seed, bits=None).after for seed in seeds]
    yield f"not rounded, after {spread(controls)}"
    against = [replace(one, before=control).recovered for one, control in zip(found, controls, strict=True)]
    yield f"of the damage gone, against that {spread(against, '.0%')}"


def distillation_table(seeds: Sequence[int]) -> Iterator[str]:
    """Losses of students alone and with a teacher, and the difference of each seed, for two lengths of text."""
    for letters, batch in ((20_000, 16), (2_000, 4)):
        alone, helped = zip(*(distillation_trial(seed, letters=letters, batch=batch) for seed in seeds), strict=True)
        gained = [a - b for a, b in zip(alone, helped, strict=True)]
        yield f"{letters:6,} letters, alone {spread(alone)}  with a teacher {spread(helped)}  gained {spread(gained)}"


def main() -> None:
    """Prints all three, line by line as they are measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    for table in (sparsity_table, lora_table, distillation_table):
        for line in table(seeds):
            print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
