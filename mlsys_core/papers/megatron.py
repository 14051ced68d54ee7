"""Megatron-LM at 3,072 GPUs: how large, how many operations, how many days.

Idea      Tensor parallelism inside a node, pipelines across nodes, data parallelism on top; if a step's operations are counted
          exactly, its time tells how well the machine is used.
Equation  P = 12 l h² (1 + 13/(12 h) + (V + s)/(12 l h));   F = 96 B s l h² (1 + s/(6 h) + V/(16 l h));   days = 8 T P / (n X)
Paper     D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using Megatron-LM", SC 2021,
          table 1 and section 5.1 (F counts a second forward pass: activations are recomputed).
Cost      Constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

VOCABULARY, SEQUENCE = 51_200, 2048
A100_TFLOPS = 312.0
DAY_S = 86_400.0


@dataclass(frozen=True)
class Run:
    """A line of table 1. `split` is tensor times pipeline parallelism; `tflops` is reached by each GPU, `pflops` by all."""

    parameters_b: float
    hidden: int
    layers: int
    split: int
    gpus: int
    batch: int
    tflops: int
    percent: int
    pflops: float


RUNS = tuple(
    Run(*row)
    for row in (
        (1.7, 2304, 24, 1, 32, 512, 137, 44, 4.4),
        (3.6, 3072, 30, 2, 64, 512, 138, 44, 8.8),
        (7.5, 4096, 36, 4, 128, 512, 142, 46, 18.2),
        (18.4, 6144, 40, 8, 256, 1024, 135, 43, 34.6),
        (39.1, 8192, 48, 16, 512, 1536, 138, 44, 70.8),
        (76.1, 10240, 60, 32, 1024, 1792, 140, 45, 143.8),
        (145.6, 12288, 80, 64, 1536, 2304, 148, 47, 227.1),
        (310.1, 16384, 96, 128, 1920, 2160, 155, 50, 297.4),
        (529.6, 20480, 105, 280, 2520, 2520, 163, 52, 410.2),
        (1008.0, 25600, 128, 512, 3072, 3072, 163, 52, 502.0),
    )
)


def parameters(layers: int, hidden: int, vocabulary: int = VOCABULARY, sequence: int = SEQUENCE) -> float:
    """Weights of the model, embeddings of tokens and positions included."""
    whole = 1 + 13 / (12 * hidden) + (vocabulary + sequence) / (12 * layers * hidden)
    return 12 * layers * hidden**2 * whole


def step_flops(batch: int, layers: int, hidden: int, vocabulary: int = VOCABULARY, sequence: int = SEQUENCE) -> float:
    """Floating-point operations of one step on a batch of sequences: forward, backward, and the forward pass once more."""
    whole = 1 + sequence / (6 * hidden) + vocabulary / (16 * layers * hidden)
    return 96 * batch * sequence * layers * hidden**2 * whole


def training_days(tokens: float, weights: float, gpus: int, tflops: float) -> float:
    """Days for `tokens` tokens on `gpus` GPUs that each reach `tflops` 10¹² operations a second."""
    return 8 * tokens * weights / (gpus * tflops * 1e12) / DAY_S


def bubble(stages: int, microbatches: int, chunks: int = 1) -> float:
    """Time that a pipeline stands idle, as a share of the time that it works: (p - 1) / (v m)."""
    return (stages - 1) / (chunks * microbatches)


def _row(run: Run) -> Row:
    return Row(
        f"{run.hidden} × {run.layers}, {run.gpus} GPUs",
        (
            Cell(run.parameters_b, parameters(run.layers, run.hidden) / 1e9),
            Cell(run.percent, 100 * run.tflops / A100_TFLOPS, 0),
            Cell(run.pflops, run.tflops * run.gpus / 1e3),
        ),
    )


SIZES = Table(
    "Table 1: sizes and speeds, from width, depth, GPUs and what each GPU reached",
    "Width × layers",
    ("Weights, 10⁹", "Percent of peak", "All GPUs, PFLOP/s"),
    tuple(_row(run) for run in RUNS),
)
DAYS = Table(
    "Section 5.1: days of training, by 8 T P / (n X)",
    "Model",
    ("Days",),
    (
        Row("GPT-3, 300 B tokens, 1,024 GPUs at 140", (Cell(34, training_days(300e9, 175e9, 1024, 140)),)),
        Row("1 T, 450 B tokens, 3,072 GPUs at 163", (Cell(84, training_days(450e9, 1.008e12, 3072, 163)),)),
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    stages, most = int(knobs["stages"]), int(knobs["microbatches"])
    counts = [m for m in range(1, most + 1) if m == most or m % max(1, most // 64) == 0 or m < 16]
    lines = tuple(
        Line(f"{v} chunk{'s' if v > 1 else ''} a stage", tuple((m, bubble(stages, m, v)) for m in counts))
        for v in (1, 2, 4)
    )
    return Figure(
        "The bubble of a pipeline",
        "microbatches",
        "idle time / working time",
        lines,
        f"With {stages} stages and {most} microbatches a pipeline idles {100 * bubble(stages, most):.1f} % of the time that it "
        f"works, and with 4 chunks a stage {100 * bubble(stages, most, 4):.1f} %.",
        log_y=stages > 1,
    )


STUDY = Study(
    slug="megatron-lm",
    title="Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM",
    venue="SC 2021",
    arxiv="2104.04473",
    idea="Ten models, from 1.7 billion weights on 32 GPUs to a trillion on 3,072. Sizes and aggregate speeds follow from width, depth and "
    "the speed of one GPU; the days of a whole training follow from these.",
    formulas=(
        "P = 12 l h² (1 + 13/(12 h) + (V + s)/(12 l h))",
        "F = 96 B s l h² (1 + s/(6 h) + V/(16 l h))",
        "days = 8 T P / (n X)",
        "bubble = (p − 1) / (v m)",
    ),
    tables=(SIZES, DAYS),
    knobs=(Knob("stages", "Pipeline stages", 8, 2, 128), Knob("microbatches", "Microbatches", 64, 1, 1024)),
    figure=_figure,
)
