"""Task 5: chains of layers without checkpoints, replays of plans, and the best there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Chain = tuple[np.ndarray, np.ndarray, list[np.ndarray], float]


def plain_gradient(
    weights: Sequence[np.ndarray], dropout: Sequence[float], x: np.ndarray, cotangent: np.ndarray, seed: int
) -> Chain:
    """Output, cotangent of x, gradients and the generator's next number of a chain that keeps everything; see `ChainLayer`."""
    rng, kept = np.random.default_rng(seed), []
    for w, p in zip(weights, dropout, strict=True):
        values = [x]
        for row in w:
            values.append(np.sin(values[-1] * row))
        mask = (rng.random(x.shape) >= p) / (1.0 - p) if p else None
        kept.append((values, mask))
        x = x + (values[-1] if mask is None else values[-1] * mask)
    gradients = []
    for w, (values, mask) in zip(reversed(weights), reversed(kept), strict=True):
        g, gradient = cotangent if mask is None else cotangent * mask, np.zeros_like(w)
        for j in reversed(range(len(w))):
            g = g * np.cos(values[j] * w[j])
            gradient[j] = (g * values[j]).sum(axis=0)
            g = g * w[j]
        cotangent = cotangent + g
        gradients.append(gradient)
    return x, cotangent, gradients[::-1], float(rng.random())


def random_program(
    rng: np.random.Generator, steps: int, kinds: Sequence[int]
) -> tuple[list[int], list[list[int]], list[int]]:
    """Sizes, reads and outputs of a program; some values nobody reads, some are read much later or twice by one step."""
    sizes = [int(size) for size in rng.choice(list(kinds), size=steps)]
    reads = []
    for step in range(steps):
        low = 0 if rng.random() < 0.2 else max(0, step - 4)
        reads.append([int(i) for i in rng.integers(low, step, size=int(rng.integers(0, 4)))] if step else [])
    outputs = sorted({int(i) for i in rng.integers(0, steps, size=3)})
    return sizes, reads, outputs


def replay_buffers(
    expect: Any, plan: Any, sizes: Sequence[int], reads: Sequence[Sequence[int]], outputs: Sequence[int]
) -> int:
    """Run the program in the planned buffers; returns their bytes."""
    formed = isinstance(plan, list) and len(plan) == len(sizes) and all(type(b) is int and b >= 0 for b in plan)
    expect.that(formed, "plan_buffers returned no list with a buffer for each value")
    holds: dict[int, int] = {}
    size_of: dict[int, int] = {}
    for step, buffer in enumerate(plan):
        for source in reads[step]:
            gone = holds.get(plan[source]) != source
            expect.that(not gone, f"step {step} reads value {source}, and its buffer holds another value by then")
        busy = {plan[source] for source in reads[step]}
        expect.that(buffer not in busy, f"step {step} writes into buffer {buffer} while it reads from it")
        size = size_of.setdefault(buffer, sizes[step])
        expect.that(size == sizes[step], f"buffer {buffer} holds {size} bytes and then {sizes[step]}")
        holds[buffer] = step
    for output in outputs:
        expect.that(holds[plan[output]] == output, f"output {output} is overwritten before the end")
    return sum(size_of.values())


def least_buffers(sizes: Sequence[int], reads: Sequence[Sequence[int]], outputs: Sequence[int]) -> int:
    """For each size, as many buffers as values of it live at once: fewer cannot do, and times on a line need no more."""
    count = len(sizes)
    ends = [
        count if i in outputs else max([i, *(step for step in range(count) if i in reads[step])]) for i in range(count)
    ]
    total = 0
    for size in set(sizes):
        living = [sum(sizes[i] == size and i <= t <= ends[i] for i in range(count)) for t in range(count)]
        total += size * max(living)
    return total


def check_segments(expect: Any, segments: Any, layers: int) -> list[tuple[int, int]]:
    """Pairs (start, stop) in order and without overlap."""
    formed = isinstance(segments, list) and all(isinstance(one, list) and len(one) == 2 for one in segments)
    expect.that(formed, "plan_checkpoints returned no list of pairs")
    at = 0
    for start, stop in segments:
        inside = type(start) is int and type(stop) is int and at <= start < stop <= layers
        expect.that(inside, f"the segment ({start}, {stop}) is empty, out of order, or beyond the {layers} layers")
        at = stop
    return [(start, stop) for start, stop in segments]


def replay_plan(
    saved: Sequence[int], inputs: Sequence[int], flops: Sequence[int], segments: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """Most bytes held, by going through the forward and the backward pass event by event, and the work done again."""
    inside = {layer: start for start, stop in segments for layer in range(start, stop)}
    held = {layer: inputs[layer] for layer, start in inside.items() if layer == start}
    held |= {layer: saved[layer] for layer in range(len(saved)) if layer not in inside}
    peak = sum(held.values())
    for start, stop in reversed(segments):
        for layer in [layer for layer in held if layer >= start]:
            del held[layer]
        peak = max(peak, sum(held.values()) + sum(saved[start:stop]))
    return peak, sum(flops[layer] for layer in inside)


def best_within(saved: Sequence[int], inputs: Sequence[int], flops: Sequence[int], budget: int) -> int | None:
    """The least work within a budget, over every reachable number of held bytes; None where nothing fits."""
    count = len(saved)
    work: list[dict[int, int]] = [{0: 0}] + [{} for _ in range(count)]
    for at in range(count):
        for held, cost in work[at].items():
            moves = [(at + 1, held + saved[at], cost)] if held + saved[at] <= budget else []
            stops = (stop for stop in range(at + 1, count + 1) if held + sum(saved[at:stop]) <= budget)
            moves += [(stop, held + inputs[at], cost + sum(flops[at:stop])) for stop in stops]
            for place, bytes_, total in moves:
                work[place][bytes_] = min(total, work[place].get(bytes_, total))
    return min(work[count].values(), default=None)


def smallest_peak(saved: Sequence[int], inputs: Sequence[int]) -> int:
    """The smallest peak of all plans, over every reachable number of held bytes."""
    count = len(saved)
    peaks: list[dict[int, int]] = [{0: 0}] + [{} for _ in range(count)]
    for at in range(count):
        for held, peak in peaks[at].items():
            moves = [(at + 1, held + saved[at], max(peak, held + saved[at]))]
            within = held
            for stop in range(at + 1, count + 1):
                within += saved[stop - 1]
                moves.append((stop, held + inputs[at], max(peak, within)))
            for place, bytes_, top in moves:
                peaks[place][bytes_] = min(top, peaks[place].get(bytes_, top))
    return min(peaks[count].values())


def root_segments(count: int) -> list[tuple[int, int]]:
    """Segments of ⌈√n⌉ layers."""
    length = int(np.ceil(np.sqrt(count)))
    return [(start, min(start + length, count)) for start in range(0, count, length)]


def random_layers(rng: np.random.Generator, count: int) -> tuple[list[int], list[int], list[int]]:
    """Saved bytes, input bytes and work of unlike layers, whole numbers of KiB; a few layers are much larger than the rest."""
    inputs = [int(size) for size in rng.integers(1, 9, size=count)]
    inner = rng.integers(1, 17, size=count) * rng.choice([1, 1, 1, 4], size=count)
    saved = [one + int(more) for one, more in zip(inputs, inner, strict=True)]
    flops = [int(one) for one in rng.integers(1, 100, size=count)]
    return [1024 * one for one in saved], [1024 * one for one in inputs], flops
