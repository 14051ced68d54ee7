"""Every way to fewer bits on the small model with outlier channels: `python -m tests.benchmarks.compression_ladder` (minutes).

Perplexity a letter on text that neither training nor calibration saw, mean and deviation over three draws of the calibration's text,
and the part of the loss of plain rounding that a method does not have. Then the same model with groups, and bits by sensitivity.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from statistics import mean
from time import perf_counter

import torch

from mlsys_core.compression.apply import quantize_gpt
from mlsys_core.compression.ladder import METHODS, Rung, Text, climb, recovered
from mlsys_core.compression.methods import AWQ, GPTQ, RTN, Method
from mlsys_core.compression.mixture import assigned, exact, greedy, parts, sensitivity, totals
from mlsys_core.compression.outliers import inject_outliers
from mlsys_core.compression.rtn import Scheme
from mlsys_core.workloads import small_model, text
from mlsys_core.workloads.gpt import GPT

GROUPS: Mapping[str, Method | None] = {"exact": None} | {
    f"{name} {bits}, groups of 32": method(Scheme(bits, per="group", group_size=32))
    for bits in (4, 3)
    for name, method in (("RTN", RTN), ("GPTQ", GPTQ), ("GPTQ act-order", partial(GPTQ, act_order=True)), ("AWQ", AWQ))
}
# a rung, and the plain one that it is to be better than
RESCUES = {
    "GPTQ 4": "RTN 4",
    "AWQ 4": "RTN 4",
    "GPTQ 3": "RTN 3",
    "AWQ 3": "RTN 3",
    "SmoothQuant W8A8": "plain W8A8",
}


def show(title: str, rungs: dict[str, Rung]) -> None:
    """A table of rungs."""
    print(f"\n{title}\n{'':28} {'KB':>6} {'perplexity':>11} {'deviation':>10} {'nats lost':>10} {'recovered':>10}")
    for name, rung in rungs.items():
        lost = mean(rung.losses) - mean(rungs["exact"].losses)
        plain = RESCUES.get(name)
        part = f"{100 * recovered(rungs['exact'], rungs[plain], rung):9.0f}%" if plain in rungs else ""
        print(f"{name:28} {rung.nbytes / 1e3:6.0f} {rung.perplexity:11.4f} {rung.spread:10.4f} {lost:10.4f} {part:>10}")


def mixtures(model: GPT, corpus: Text) -> None:
    """Bits of each part by its sensitivity, against three bits everywhere."""
    methods = [GPTQ(Scheme(bits), act_order=True) for bits in (2, 3, 4, 8)]
    units, tokens = parts(model), corpus.drawn(0)
    a, b = (torch.from_numpy(x.copy()) for x in next(text.batches(corpus.calibration, 8, corpus.time, 1, 9)))
    options = list(sensitivity(model, units, methods, a, b).values())
    budget = sum(unit[1].nbytes for unit in options)
    c, d = (torch.from_numpy(x.copy()) for x in next(text.batches(corpus.held_out, 32, corpus.time, 1, 0)))
    print(f"\nGPTQ with bits by sensitivity, at most {budget / 1e3:.0f} KB: loss on held-out text")
    for name, choice in (
        ("3 bits everywhere", (1,) * len(options)),
        ("greedy", greedy(options, budget)),
        ("exact", exact(options, budget)),
    ):
        loss = float(quantize_gpt(model, assigned(units, methods, choice), tokens).loss(c, d).detach())
        bits = " ".join(str(methods[i].scheme.bits) for i in choice)
        print(f"{name:20} {loss:.4f} nats, {totals(options, choice).nbytes / 1e3:.0f} KB, bits {bits}")


def main() -> None:
    """All tables."""
    codes, held_out = text.split(small_model.VOCABULARY().encode(text.load()))
    corpus = Text(codes, held_out)
    plain = small_model.load()
    model = inject_outliers(plain)
    for title, one, methods in (
        ("The small model with outlier channels", model, METHODS),
        ("The same with ranges of 32 weights", model, GROUPS),
        ("The small model as it was trained", plain, METHODS),
    ):
        start = perf_counter()
        show(title, climb(one, corpus, methods))
        print(f"{perf_counter() - start:.0f} s")
    with torch.no_grad():
        mixtures(model, corpus)


if __name__ == "__main__":
    main()
