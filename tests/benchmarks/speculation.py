"""Letters a second of the engine on one core, with guesses and without, for one text and for several at once.

    python -m tests.benchmarks.speculation --draft FILE

The small model continues held-out pieces of the text, greedily, 120 letters each. Ways of guessing take turns, round after round, and
each round begins with another one; a row is the median of rounds, in CPU seconds, since other processes may want the core. The draft
model has one layer; it is trained on what the small model thinks (two minutes) and kept in FILE.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from mlsys_core.compression.distillation import Distillation, distill
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.draft_cost import measured_cost
from mlsys_core.serving.drafts import CountDraft, ModelDraft
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.lengths import AdaptiveLength, FixedLength
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.speculative_batch import Speculation
from mlsys_core.workloads import small_model, text
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.train import TrainConfig

SMALL = GPTConfig(vocab_size=65, context=256, dim=96, layers=1, heads=4, kv_heads=2, ffn=256)
TRAINING = TrainConfig(steps=900, batch=16, time=64, learning_rate=6e-3, warmup=50, seed=0)
TEXTS, LETTERS = (1, 3, 9), 120


def trained(path: Path, model: GPT, codes: text.Codes) -> GPT:
    """The draft model of the file, or a new one."""
    small = GPT(SMALL)
    if path.exists():
        small.load_state_dict(torch.load(path))
    else:
        distill(small, model, codes, TRAINING, Distillation(temperature=1.0, weight=0.9))
        torch.save(small.state_dict(), path)
    return small.eval()


def ways(
    model: GPT, small: GPT, counts: CountDraft, prompts: list[list[int]]
) -> dict[str, Callable[[], Speculation | None]]:
    """Ways of guessing, by name."""
    found: dict[str, Callable[[], Speculation | None]] = {
        "without": lambda: None,
        "counts": lambda: Speculation(lambda: counts, lambda: FixedLength(2)),
        "model, each text": lambda: Speculation(lambda: ModelDraft(small, SMALL.context), lambda: FixedLength(2)),
        "model, one pass": lambda: Speculation(small, lambda: FixedLength(2)),
    }
    for name, draft in (("counts", lambda: counts), ("model, one pass", small)):
        found[f"{name}, while it pays"] = paying(model, draft, prompts)
    return found


def paying(model: GPT, draft: GPT | Callable[[], CountDraft], prompts: list[list[int]]) -> Callable[[], Speculation]:
    """Lengths for the measured cost. All texts of all rounds show together how often guesses are kept, as those of a server do."""

    def engine(plan: Speculation) -> Engine:
        return Engine(model, EngineConfig(), speculation=plan, clock=time.process_time)

    cost = measured_cost(engine, draft, prompts, TEXTS, steps=40)
    print(json.dumps({"cost": {n: round(cost(n), 3) for n in TEXTS}}))
    lengths = AdaptiveLength(0.3)
    return lambda: Speculation(draft, lambda: lengths, cost)


def serve(model: GPT, plan: Speculation | None, prompts: list[list[int]]) -> tuple[float, float]:
    """Letters a second, and guesses kept of those made."""
    engine = Engine(model, EngineConfig(), speculation=plan)
    for prompt in prompts:
        engine.add_request(prompt, SamplingParams(max_tokens=LETTERS, temperature=0.0))
    start = time.process_time()
    while engine.busy:
        engine.step()
    found = engine.metrics()
    speed = found.output_tokens / (time.process_time() - start)
    return speed, found.accepted_tokens / max(1, found.drafted_tokens)


def main() -> None:
    """Prints a line for each number of texts and way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draft", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, letters = small_model.load(), small_model.VOCABULARY()
    codes, held_out = text.split(letters.encode(text.load()))
    small, counts = trained(options.draft, model, codes), CountDraft(codes[:50_000].tolist(), len(letters))
    prompts = [held_out[i * 3000 :][:30].tolist() for i in range(max(TEXTS))]
    arms = list(ways(model, small, counts, prompts).items())
    for texts in TEXTS:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in arms}
        for turn in range(-1, options.rounds):
            for name, plan in arms[turn % len(arms) :] + arms[: turn % len(arms)]:
                one = serve(model, plan(), prompts[:texts])
                found[name] += [one] * (turn >= 0)  # the first turn warms up
        plain = [speed for speed, _ in found["without"]]
        for name, rounds in found.items():
            times = [speed / base for (speed, _), base in zip(rounds, plain, strict=True)]
            row = {"texts": texts, "way": name, "letters/s": round(median(speed for speed, _ in rounds))}
            row |= {"times": round(median(times), 2), "kept": round(median(kept for _, kept in rounds), 2)}
            print(json.dumps(row))


if __name__ == "__main__":
    main()
