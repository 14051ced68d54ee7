"""Speed of generated code: a tuned float32 matmul beside its naive loop and numpy's BLAS, one thread each, interleaved, in CPU time.

    python -m tests.benchmarks.compiler_speed              replays the best schedule of the log beside this file
    python -m tests.benchmarks.compiler_speed --tune 60    searches for 60 s first, and adds to the log
    python -m tests.benchmarks.compiler_speed --ranks 24   how well the cost model ranks 24 random schedules that it has not seen

All are built by the same compiler with the same flags (`build.FLAGS`). There are three naive loops, since a compiler does much for some:
the textbook's, which takes pointers and n; the same i, j, k from our definition without any schedule, where constant sizes and pointers
that are known not to overlap let the compiler make vectors over j by itself; and i, k, j from our definition, which it does even better.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import thread_time

import numpy as np

from mlsys_core.compiler.build import FLAGS, Kernel, build, compiler_command
from mlsys_core.compiler.cost_model import CostModel, spearman
from mlsys_core.compiler.ir import Tensor, placeholder
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.operators import elementwise, matmul, maximum
from mlsys_core.compiler.schedule import Schedule
from mlsys_core.compiler.space import Space
from mlsys_core.compiler.tune import Tuner, best_schedule
from tests.benchmarks.interleave import interleaved

N = 512
LOG = Path(__file__).with_name("compiler_matmul_512.jsonl")
Arrays = dict[str, np.ndarray]


def definition() -> Tensor:
    """The product that is timed."""
    return matmul(placeholder("A", (N, N)), placeholder("B", (N, N)))


def drawn() -> Arrays:
    """Its inputs."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal((N, N)).astype(np.float32) for name in "AB"}


def tuner(log: Path, inputs: Arrays) -> Tuner:
    """The search, with numpy's product as what every candidate must give."""
    return Tuner(Space(definition()), log, inputs, inputs["A"] @ inputs["B"])


TEXTBOOK = """
void textbook(const float *A, const float *B, float *C, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int k = 0; k < n; k++)
                sum += A[i * n + k] * B[k * n + j];
            C[i * n + j] = sum;
        }
}
"""


def textbook(inputs: Arrays) -> Callable[[], None]:
    """The three loops as everybody writes them first."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "textbook.c", Path(folder) / "textbook.so"
        source.write_text(TEXTBOOK)
        subprocess.run([compiler_command(), *FLAGS, "-o", library, source], check=True)
        function = ctypes.CDLL(str(library)).textbook
    out = np.empty((N, N), np.float32)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (inputs["A"], inputs["B"], out)]
    function(*pointers, N)
    np.testing.assert_allclose(out, inputs["A"] @ inputs["B"], rtol=0, atol=1e-3)
    return lambda: function(*pointers, N)


def naive(*order: str) -> Schedule:
    """Plain loops in an order."""
    schedule = Schedule(definition())
    schedule["C"].reorder(*order)
    return schedule


def ready(kernel: Kernel, inputs: Arrays) -> Callable[[], None]:
    """A run of a kernel on memory that is there already; its result has been compared with numpy's."""
    held = kernel.allocate(**inputs)
    kernel.run(held)
    np.testing.assert_allclose(held["C"], inputs["A"] @ inputs["B"], rtol=0, atol=1e-3)
    return lambda: kernel.run(held)


def matmul_rows(rounds: int) -> list[str]:
    """The tuned product beside the naive ones and BLAS."""
    inputs, out = drawn(), np.empty((N, N), np.float32)
    schedules = [best_schedule(LOG, definition()), naive("i", "j", "k"), naive("i", "k", "j")]
    tuned, plain, vectors = (
        ready(k, inputs) for k in build(*(s.lower(f"matmul_{n}") for n, s in enumerate(schedules)))
    )
    blas = lambda: np.matmul(inputs["A"], inputs["B"], out=out)  # noqa: E731 - a run like the others
    lines = []
    for name, theirs, goal, few in (
        ("textbook loop i, j, k", textbook(inputs), 15.0, 7),
        ("our loop i, j, k, no schedule", plain, None, rounds),
        ("our loop i, k, j, no schedule", vectors, None, rounds),
        ("numpy's BLAS", blas, 0.5, rounds),
    ):
        paired = interleaved(tuned, theirs, rounds=min(few, rounds), warmup=1, clock=thread_time)
        speedup, low, high = 1 / paired.ratio, 1 / paired.high, 1 / paired.low
        met = "" if goal is None else f"≥ {goal:g}: {'met' if low >= goal else 'missed' if high < goal else 'open'}"
        rate = 2 * N**3 / paired.ours_s / 1e9
        lines.append(
            f"| matmul {N}³, tuned | {paired.ours_s * 1e3:.2f} ms, {rate:.0f} GFLOP/s | {name} {paired.theirs_s * 1e3:.2f} ms "
            f"| {speedup:.2f} ({low:.2f}–{high:.2f}) | {met} |"
        )
    return lines


def chain_rows(rounds: int) -> list[str]:
    """An elementwise chain as one loop beside the same as a loop an operation, and beside numpy."""
    shape = (1024, 1024)
    x = placeholder("X", shape)
    steps = [lambda e: e * 2, lambda e: e + 1, lambda e: maximum(e, 0), lambda e: e * e, lambda e: e - 3]
    last = x
    for number, step in enumerate(steps):
        last = elementwise(f"T{number}", step, last)
    fused, apart = Schedule(last), Schedule(last)
    for number in range(len(steps) - 1):
        fused.inline(f"T{number}")
    for stage in [*fused.stages.values(), *apart.stages.values()]:
        stage.split("j", 64), stage.vectorize("j.1")
    kernels = build(fused.lower("fused"), apart.lower("apart"))
    held = [kernel.allocate(X=np.random.default_rng(0).standard_normal(shape).astype(np.float32)) for kernel in kernels]
    paired = interleaved(
        lambda: kernels[0].run(held[0]), lambda: kernels[1].run(held[1]), rounds=rounds, clock=thread_time
    )
    # a product and the sum after it round once where they are in one loop
    np.testing.assert_allclose(held[0]["T4"], held[1]["T4"], rtol=0, atol=1e-5)
    times = f"{paired.ours_s * 1e3:.2f} ms | a loop an operation {paired.theirs_s * 1e3:.2f} ms"
    return [
        f"| chain of 5 on 1024², fused | {times} | {1 / paired.ratio:.2f} ({1 / paired.high:.2f}–{1 / paired.low:.2f}) | |"
    ]


def ranks(count: int) -> str:
    """Rank correlations over random schedules: of the estimate, and of the model fitted on the log, which has none of them."""
    inputs, rng = drawn(), random.Random(7)
    searched = tuner(LOG, inputs)
    fitted, seen, seconds = CostModel(), [], []
    fitted.fit(searched.seen, [trial.seconds for trial in searched.trials])
    while len(seen) < count:
        try:
            program = searched.space.schedule(searched.space.draw(rng)).lower()
        except ScheduleError:
            continue
        seen.append(fitted.look(program))
        seconds.append(searched.measure(build(program)[0]))
    estimate = spearman([fitted.prior(f) for f in seen], seconds)
    learned = spearman([fitted.predict(f) for f in seen], seconds)
    return (
        f"Spearman's correlation of predicted and measured times over {count} random schedules: {estimate:.2f} by the estimate alone, "
        f"{learned:.2f} fitted on the {len(searched.trials)} trials of the log."
    )


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description="Speed of mlsys_core.compiler, interleaved with its yardsticks.")
    parser.add_argument("--tune", type=float, default=0.0, metavar="SECONDS", help="search before, and add to the log")
    parser.add_argument(
        "--ranks", type=int, default=0, metavar="COUNT", help="measure the cost model on random schedules"
    )
    parser.add_argument("--rounds", type=int, default=41)
    arguments = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        raise SystemExit(
            "Run this with OPENBLAS_NUM_THREADS=1 (`make bench` does), so that BLAS has one thread as ours has."
        )
    if arguments.tune:
        search = tuner(LOG, drawn())
        found = search.run(seconds=arguments.tune)
        print(f"{len(search.trials)} trials in the log, the best {found.seconds * 1e3:.2f} ms.")
    print(f"Flags of every kernel: {' '.join(FLAGS)}.\n")
    print("| case | ours | yardstick | times as fast (95 %) | goal |")
    print("|---|---|---|---|---|")
    for line in matmul_rows(arguments.rounds) + chain_rows(arguments.rounds):
        print(line, flush=True)
    if arguments.ranks:
        print("\n" + ranks(arguments.ranks))


if __name__ == "__main__":
    main()
