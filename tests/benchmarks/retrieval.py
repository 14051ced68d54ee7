"""Vector indices beside faiss-cpu: recall at equal parameters, build and query time, on one thread each.

    python -m tests.benchmarks.retrieval                         100,000 × 128, ours and Faiss's, every index
    python -m tests.benchmarks.retrieval --only PQ16 --n 20000   one of them, smaller
    python -m tests.benchmarks.retrieval --million               ours on 1,000,000 × 128: bytes, peak memory, seconds

Faiss is installed for the comparison only, beside the project's environment, and nothing here installs it:

    pip install --no-deps --target FOLDER faiss-cpu
    PYTHONPATH=FOLDER python -m tests.benchmarks.retrieval

Without it, ours are measured alone. Times are CPU time of the process, which runs on one thread: builds once, queries interleaved in
batches of 1,000. Vectors have 128 numbers that depend on 24, in clusters and with noise: embeddings are like that, and in 128 independent
numbers no index finds much.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mlsys_core import retrieval as ours
from tests.benchmarks.interleave import interleaved

D, QUERIES, K = 128, 1000, 10
GOAL, POINTS = 3.0, 0.01  # times Faiss's time; recall
Array = np.ndarray
Make = Callable[[Any, int], Any]


@dataclass(frozen=True)
class Row:
    """An index, made by either library, and the searches to run on it: a name and what to set."""

    name: str
    make: Make
    searches: tuple[tuple[str, dict[str, int]], ...]


def lists(size: int) -> int:
    """Cells for so many vectors, so that one holds about a hundred."""
    return max(16, min(1024, size // 100))


def inverted(library: Any, size: int) -> Any:
    return library.IndexIVFFlat(library.IndexFlatL2(D), D, lists(size))


def inverted_codes(library: Any, size: int) -> Any:
    return library.IndexIVFPQ(library.IndexFlatL2(D), D, lists(size), 16, 8)


def probes(*counts: int) -> tuple[tuple[str, dict[str, int]], ...]:
    return tuple((f"nprobe {count}", {"nprobe": count}) for count in counts)


def widths(*counts: int) -> tuple[tuple[str, dict[str, int]], ...]:
    return tuple((f"efSearch {count}", {"efSearch": count}) for count in counts)


ROWS = (
    Row("Flat", lambda library, _: library.IndexFlatL2(D), (("all", {}),)),
    Row("IVF", inverted, probes(1, 8, 32)),
    Row("PQ16", lambda library, _: library.IndexPQ(D, 16, 8), (("all", {}),)),
    Row("IVFPQ16", inverted_codes, probes(1, 8, 32)),
    Row("HNSW16", lambda library, _: library.IndexHNSWFlat(D, 16), widths(16, 64)),
    Row("HNSW32", lambda library, _: library.IndexHNSWFlat(D, 32), widths(16, 64)),
)


def drawn(n: int, seed: int) -> Array:
    """n vectors near a surface of 24 dimensions, in 200 clusters."""
    shape = np.random.default_rng(0)
    middles, spread = shape.standard_normal((200, 24)) * 1.5, shape.standard_normal((24, D)) / np.sqrt(24)
    rng = np.random.default_rng(seed)
    x = np.empty((n, D), np.float32)
    for start in range(0, n, 100_000):
        part = x[start : start + 100_000]
        hidden = middles[rng.integers(200, size=len(part))] + rng.standard_normal((len(part), 24))
        part[:] = hidden @ spread + 0.1 * rng.standard_normal(part.shape)
    return x


def nearest(x: Array, q: Array) -> Array:
    """The true K nearest, found part by part, so that no second copy of x is ever held."""
    parts = []
    for start in range(0, len(x), 100_000):
        exact = ours.IndexFlatL2(D)
        exact.add(x[start : start + 100_000])
        distances, ids = exact.search(q, K)
        parts.append((distances, ids + start))
    distances, ids = (np.concatenate(column, 1) for column in zip(*parts, strict=True))
    return np.take_along_axis(ids, np.argsort(distances, 1, kind="stable")[:, :K], 1)


def faiss() -> Any | None:
    """Faiss on one thread, or None with a word to the error stream."""
    try:
        library = importlib.import_module("faiss")
    except ImportError:
        print("faiss is not there, so ours stand alone; see --help for how to install it.", file=sys.stderr)
        return None
    library.omp_set_num_threads(1)
    return library


def built(row: Row, library: Any, x: Array) -> tuple[Any, float]:
    """An index with x in it, and the seconds of training and adding."""
    index = row.make(library, len(x))
    start = process_time()
    index.train(x)
    index.add(x)
    return index, process_time() - start


def set_to(index: Any, settings: dict[str, int]) -> None:
    for name, value in settings.items():
        setattr(index.hnsw if name.startswith("ef") else index, name, value)


def met(ratio: float, goal: float) -> str:
    return "met" if ratio <= goal else "missed"


def beside(row: Row, theirs: Any, x: Array, q: Array, truth: Array) -> list[str]:
    """Lines of the table for one index: its build, then each search."""
    mine, my_seconds = built(row, ours, x)
    other, their_seconds = built(row, theirs, x)
    ratio = my_seconds / their_seconds
    lines = [
        f"| {row.name} | build | | | {my_seconds:.2f} s | {their_seconds:.2f} s | {ratio:.2f} | {met(ratio, GOAL)} |"
    ]
    for name, settings in row.searches:
        set_to(mine, settings)
        set_to(other, settings)
        found = [ours.recall(index.search(q, K)[1], truth) for index in (mine, other)]
        paired = interleaved(
            lambda: mine.search(q, K), lambda: other.search(q, K), rounds=7, warmup=1, clock=process_time
        )
        times = f"{paired.ours_s * 1e3:.1f} ms | {paired.theirs_s * 1e3:.1f} ms | {paired.ratio:.2f} ({paired.low:.2f}–{paired.high:.2f})"
        mine.search(q, K)
        recalls = f"{100 * found[0]:.1f} % ({mine.ndis / len(q):,.0f} distances) | {100 * found[1]:.1f} %"
        goals = f"{met(paired.ratio, GOAL)}; recall {met(abs(found[0] - found[1]), POINTS)}"
        lines.append(f"| {row.name} | {name} | {recalls} | {times} | {goals} |")
    return lines


def alone(row: Row, x: Array, q: Array, truth: Array | None) -> list[str]:
    """The same without another to compare with, and with the memory of the process."""
    before = peak()
    index, seconds = built(row, ours, x)
    lines = [
        f"| {row.name} | build | | {seconds:.1f} s | {index.nbytes / 1e6:.0f} MB, peak {peak():.0f} MB, {before:.0f} MB before it |"
    ]
    for name, settings in row.searches:
        set_to(index, settings)
        start = process_time()
        _, ids = index.search(q, K)
        each = (process_time() - start) / len(q)
        recalled = "" if truth is None else f"{100 * ours.recall(ids, truth):.1f} %, "
        lines.append(
            f"| {row.name} | {name} | {recalled}{index.ndis / len(q):,.0f} distances | {each * 1e3:.3f} ms a query | peak {peak():.0f} MB |"
        )
    return lines


def peak() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def million(names: list[str]) -> None:
    """A process an index, so that each peak is its own."""
    print("| index | what | recall@10 of 200 | time | memory |", "|---|---|---|---|---|", sep="\n", flush=True)
    for name in names:
        command = [sys.executable, "-m", "tests.benchmarks.retrieval", "--n", "1000000", "--only", name, "--alone"]
        subprocess.run(command, check=True)


def main() -> None:
    """Prints a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [row.name for row in ROWS]
    parser.add_argument("--n", type=int, default=100_000, help="vectors (default 100,000)")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these indices (default all)")
    parser.add_argument("--million", action="store_true", help="ours alone on 1,000,000, a process each")
    parser.add_argument("--alone", action="store_true", help="ours alone, lines without a head")
    chosen = parser.parse_args()
    if chosen.million:
        million(chosen.only)
        return
    with threadpool_limits(1):
        theirs = None if chosen.alone else faiss()
        x, q = drawn(chosen.n, 1), drawn(200 if chosen.alone else QUERIES, 2)
        truth = nearest(x, q)
        if theirs:
            print(
                "| index | what | recall@10 | Faiss's | time | Faiss's | ratio | goals |",
                "|---|---|---|---|---|---|---|---|",
                sep="\n",
            )
        for row in ROWS:
            if row.name in chosen.only:
                lines = beside(row, theirs, x, q, truth) if theirs else alone(row, x, q, truth)
                print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
