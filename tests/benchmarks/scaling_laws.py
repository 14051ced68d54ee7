"""A scaling law fitted to real runs on this machine: `python -m tests.benchmarks.scaling_laws` (about a minute).

Models of four widths are trained on Shakespeare, each for four amounts of tokens with a schedule of its own. The largest runs
are left out of a second fit, which then has to foretell them.
"""

from __future__ import annotations

import argparse
from itertools import starmap
from time import perf_counter

import numpy as np
import torch

from mlsys_core.workloads import ladder, scaling, text
from mlsys_core.workloads.scaling import Run, ScalingLaw
from mlsys_core.workloads.train import TrainConfig

PLAN = TrainConfig(batch=8, time=32, learning_rate=6e-3)


def described(law: ScalingLaw) -> str:
    """The law in one line."""
    return f"L = {law.E:.2f} + {law.A:.3g} / N^{law.alpha:.2f} + {law.B:.3g} / D^{law.beta:.2f}"


def spreads(runs: list[Run], resamples: int) -> str:
    """The middle eight tenths of each constant over fits to runs drawn again."""
    laws = scaling.spread(runs, resamples=resamples)
    found = {name: np.quantile([getattr(law, name) for law in laws], (0.1, 0.9)) for name in ("E", "alpha", "beta")}
    return ", ".join(f"{name} {low:.2f} to {high:.2f}" for name, (low, high) in found.items())


def main() -> None:
    """Trains, fits, foretells, prints."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--widths", type=int, nargs="+", default=[16, 32, 48, 64])
    options.add_argument("--steps", type=int, nargs="+", default=[50, 100, 200, 400])
    chosen = options.parse_args()
    torch.set_num_threads(1)
    plays = text.load()
    start = perf_counter()
    runs = ladder.climb(ladder.rungs(chosen.widths), chosen.steps, text.Vocabulary.of(plays).encode(plays), PLAN)
    print(f"{len(runs)} runs in {perf_counter() - start:.0f} s\n  parameters    tokens   loss")
    print("\n".join(starmap("  {:10.0f} {:9.0f}  {:.3f}".format, ((r.parameters, r.tokens, r.loss) for r in runs))))
    law = scaling.fit(runs)
    worst = max(abs(float(law.loss(r.parameters, r.tokens)) / r.loss - 1) for r in runs)
    print(f"\nall runs:        {described(law)}, worst residual {worst:.1%}\nbootstrap, 80 %: {spreads(runs, 10)}")
    last = max(run.tokens for run in runs)
    short = scaling.fit([run for run in runs if run.tokens < last])
    misses = [float(short.loss(r.parameters, r.tokens)) / r.loss - 1 for r in runs if r.tokens == last]
    print(f"without D = {last:.0f}: {described(short)}, which it foretells within {max(map(abs, misses)):.1%}")
    parameters, tokens = law.optimum(1e12)
    print(f"for 1e12 FLOPs the law asks for {parameters:.3g} parameters and {tokens:.3g} tokens")


if __name__ == "__main__":
    main()
