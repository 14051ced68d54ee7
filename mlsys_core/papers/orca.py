"""Orca: a batch that changes at every step, against one that stays until its last request ends.

Idea      Requests of a batch end at different times. A batch that stays together computes on for those that have ended until the longest
          one ends, and nobody who waits may join. The larger the batch and the more uneven the outputs, the less of its work is of use.
Equation  rows of use: mean output / E[longest of B];   for outputs that end with probability p a step:
          E[longest] = Σ_{k ≥ 0} 1 - (1 - (1 - p)^k)^B
Paper     G.-I. Yu et al., "Orca: a distributed serving system for transformer-based generative models", OSDI 2022, sections 2, 3.1
          and 6 (GPT-3 175B).
Cost      A sum as long as the longest output.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

# GPT-3 175B on 16 A100 at a median normalized latency of 190 ms
STATIC_REQUESTS_S, ORCA_REQUESTS_S = 0.185, 6.81


def expected_longest(batch: int, mean: float) -> float:
    """The mean longest of `batch` outputs that each end after a step with probability 1/mean; 1 token or more."""
    going, total = 1.0, 0.0
    while (missing := 1 - (1 - going) ** batch) > 1e-12:
        total += missing
        going *= 1 - 1 / mean
    return total


def useful_rows(batch: int, mean: float) -> float:
    """The part of a static batch's rows that is of requests that have not ended."""
    return mean / expected_longest(batch, mean)


SPEED = Table(
    "GPT-3 175B on 16 A100: requests a second at 190 ms a token",
    "Compared",
    ("Times as many",),
    (Row("Orca 6.81, FasterTransformer 0.185", (Cell(36.9, ORCA_REQUESTS_S / STATIC_REQUESTS_S),)),),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    most, mean = int(knobs["batch"]), knobs["mean"]
    sizes = sorted({1, most} | {2**k for k in range(1, most.bit_length()) if 2**k < most})
    useful = [100 * useful_rows(size, mean) for size in sizes]
    return Figure(
        "Work of a batch that is of use",
        "requests in a batch",
        "% of rows",
        (
            Line("a batch stays together", tuple(zip(sizes, useful, strict=True))),
            Line("a batch a step", tuple((size, 100.0) for size in sizes)),
        ),
        f"Of {most} requests that stay together, with {mean:g} tokens each on average, {useful[-1]:.0f} % of the computed rows are of use.",
        log_x=True,
    )


STUDY = Study(
    slug="orca",
    title="Orca: A Distributed Serving System for Transformer-Based Generative Models",
    venue="OSDI 2022",
    arxiv="",
    url="https://www.usenix.org/conference/osdi22/presentation/yu",
    idea="Models were served like any other: a batch of requests goes in, and their results come out together. Generated texts end at "
    "different steps, so most of a large batch soon computes for nobody, while others wait outside. Orca schedules steps in place of "
    "requests. What is computed here is how much of a batch's work is of use when it stays together.",
    formulas=("useful = mean / E[longest of B]", "E[longest] = Σ_k 1 - (1 - (1 - p)^k)^B"),
    tables=(SPEED,),
    knobs=(
        Knob("batch", "Requests in a batch, at most", 64, 2, 512),
        Knob("mean", "Tokens of an output, mean", 200, 2, 1000),
    ),
    figure=_figure,
)
