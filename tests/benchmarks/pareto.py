"""What is worth having of the ways to keep a cache small, measured on the small model: `python -m tests.benchmarks.pareto` (three minutes).

Each policy reads half of a window of text that the model never saw in one piece, and the rest letter by letter. Bytes are those that
its caches hold in the end, for each letter of the text; the perplexity is that of the second half, of windows by three seeds; the speed
is that of the letter by letter part, all texts at once, the best of some rounds in which all policies take turns. Then every policy looks
for needles.
"""

from __future__ import annotations

import argparse
from math import exp
from time import perf_counter

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.compression.kv import (
    H2O,
    KIVI,
    CompressedDecoder,
    Full,
    Policy,
    SnapKV,
    StreamingLLM,
    continuation_loss,
)
from mlsys_core.compression.kv.needle import InductionHead, haystacks, recall
from mlsys_core.compression.pareto import Axis, Explorer, Point
from mlsys_core.workloads import small_model, text
from mlsys_core.workloads.gpt import GPT

AXES = (Axis("bytes a letter"), Axis("perplexity"), Axis("letters/s", more=True))
PROMPT, TIME = 128, 255
HAYSTACK, FIFTH = 200, 40


def policies(budgets: list[int]) -> dict[tuple[str, str], Policy]:
    """By family and label."""
    found: dict[tuple[str, str], Policy] = {("full", ""): Full()}
    for n in budgets:
        found["window", str(n)] = StreamingLLM(n, 0)
        found["StreamingLLM", str(n)] = StreamingLLM(n - 4)
        found["H2O", str(n)] = H2O(n // 2, n // 2)
        found["SnapKV", str(n)] = SnapKV(n, 8)
    return found | {("KIVI", f"{bits} bits"): KIVI(bits) for bits in (2, 4, 8)}


def speed(model: GPT, policy: Policy, windows: Tensor) -> float:
    """Letters a second of all texts, one step after the other."""
    decoder = CompressedDecoder(model, policy)
    decoder.extend(windows[:, :PROMPT])
    start = perf_counter()
    for letter in windows[:, PROMPT:-1].split(1, dim=1):
        decoder.extend(letter)
    return len(windows) * (windows.shape[1] - 1 - PROMPT) / (perf_counter() - start)


def explored(
    model: GPT, batches: list[Tensor], ways: dict[tuple[str, str], Policy], rounds: int
) -> tuple[Explorer, dict[str, str]]:
    """The points, and by name how much more than the full cache each loses, with its spread over the seeds."""
    taken = [{way: speed(model, policy, batches[0]) for way, policy in ways.items()} for _ in range(rounds)]
    full = np.array([continuation_loss(model, Full(), windows, PROMPT)[0] for windows in batches])
    points, lost = [], {}
    for (family, label), policy in ways.items():
        found = [continuation_loss(model, policy, windows, PROMPT) for windows in batches]
        losses = np.array([loss for loss, _ in found])
        fastest = max(one[family, label] for one in taken)
        points.append(Point(family, label, (found[0][1] / TIME, exp(losses.mean()), fastest)))
        lost[points[-1].name] = f"{(losses - full).mean():+.4f} ± {(losses - full).std():.4f}"
    return Explorer(AXES, tuple(points)), lost


def endless(model: GPT, codes: np.ndarray, letters: int = 640) -> list[str]:
    """Loss by the number of letters before, of a model that was trained on at most 256, in texts longer than that."""
    windows = torch.from_numpy(next(text.batches(codes, 8, letters + 1, 1, seed=0))[0].copy())
    ways = {"full": Full(), "window 128": StreamingLLM(128, 0), "StreamingLLM 128": StreamingLLM(124)}
    lines = ["  letters before    " + "".join(f"{start:6}+" for start in range(0, letters, 128))]
    for name, policy in ways.items():
        decoder = CompressedDecoder(model, policy)
        logits = torch.cat([decoder.extend(letter) for letter in windows[:, :-1].split(1, dim=1)], 1)
        loss = F.cross_entropy(logits.mT, windows[:, 1:], reduction="none").mean(0)
        lines.append(f"  {name:18}" + "".join(f"{float(part.mean()):7.3f}" for part in loss.split(128)))
    return lines


def needles() -> list[str]:
    """Words of needles that each policy finds with a fifth of the tokens, or two bits: the mean of three draws and its spread."""
    ways: dict[str, Policy] = {
        "full": Full(),
        "StreamingLLM": StreamingLLM(FIFTH - 4),
        "H2O": H2O(FIFTH // 2, FIFTH // 2),
        "SnapKV": SnapKV(FIFTH, 16),
        "SnapKV without neighbours": SnapKV(FIFTH, 16, 1),
        "KIVI 2 bits": KIVI(2),
    }
    draws = [
        (InductionHead.drawn(64, 64, s), haystacks(100, HAYSTACK, needle=4, common=32, rare=32, seed=s))
        for s in range(3)
    ]
    shares = {name: [float(recall(policy, *draw).float().mean()) for draw in draws] for name, policy in ways.items()}
    return [f"  {name:26} {np.mean(found):6.1%} ± {np.std(found):.1%}" for name, found in shares.items()]


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--budgets", type=int, nargs="+", default=[16, 32, 64, 96])
    options.add_argument("--texts", type=int, default=16)
    options.add_argument("--rounds", type=int, default=5, help="of the measured speed")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    _, held_out = text.split(small_model.VOCABULARY().encode(text.load()))
    drawn = (next(text.batches(held_out, chosen.texts, TIME + 1, 1, seed))[0] for seed in range(3))
    batches = [torch.from_numpy(windows.copy()) for windows in drawn]
    model = small_model.load()
    explorer, lost = explored(model, batches, policies(chosen.budgets), chosen.rounds)
    print("\n".join(explorer.table((0, 3, 0))))
    print("\nnats a letter more than the full cache, over three seeds")
    print("\n".join(f"  {name:20} {more}" for name, more in lost.items()))
    worst = explorer.points[0].values
    reference = (worst[0] * 1.01, worst[1] * 1.2, 1.0)
    print(
        f"\nhypervolume up to {reference[0]:.0f} bytes, perplexity {reference[1]:.2f}, {reference[2]:.0f} letters/s, by family"
    )
    for family in dict.fromkeys(point.family for point in explorer.points):
        alone = Explorer(AXES, tuple(point for point in explorer.points if point.family == family))
        two, three = alone.hypervolume(reference[:2], (0, 1)), alone.hypervolume(reference)
        print(f"  {family:14} bytes, perplexity {two:8.1f}   and speed {three:12.0f}")
    two, three = explorer.hypervolume(reference[:2], (0, 1)), explorer.hypervolume(reference)
    print(f"  {'all':14} bytes, perplexity {two:8.1f}   and speed {three:12.0f}")
    print(f"\n{explorer.figure('Bytes and perplexity').says}")
    print(f"\nwords of needles found in texts of {HAYSTACK} with {FIFTH} kept")
    print("\n".join(needles()))
    print("\nnats a letter on texts that go on")
    print("\n".join(endless(model, held_out)))


if __name__ == "__main__":
    main()
