"""Efficiently scaling transformer inference: PaLM-540B on 64 TPU v4, and which layout moves least.

Idea      At inference a model must be cut so that weights, activations and the cache of keys and values all fit and little
          travels. Which cut is best depends on how many tokens are in flight.
Equation  MFU = 2 P · tokens / (chips · peak · seconds);   1D: 2 B L E;   2D: 8 B L E / √n;   weights gathered: 4 E √(B L F / n)
Paper     R. Pope et al., "Efficiently scaling transformer inference", MLSys 2023, sections 3.2.1 to 3.2.3, tables 1 to 3.
Cost      Constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

CHIPS, PEAK_FLOPS, MEMORY_BYTES, MEMORY_BYTES_S = 64, 275e12, 32 * 2**30, 1200e9
PARAMETERS, LAYERS, EMBED, FEED_FORWARD, HEADS, HEAD_DIM = 540e9, 118, 18_432, 73_728, 64, 256
KV_SHARE = 0.3  # of the memory, for keys and values


def mfu(tokens: float, seconds: float, parameters: float = PARAMETERS, chips: int = CHIPS) -> float:
    """Share of the peak that `tokens` tokens in so many seconds make: 2 operations a weight and token."""
    return 2 * parameters * tokens / (chips * PEAK_FLOPS * seconds)


def weights_floor_s(bytes_per_weight: float, parameters: float = PARAMETERS, chips: int = CHIPS) -> float:
    """Seconds to read all weights once from the memory of all chips: no token of a small batch comes faster."""
    return parameters * bytes_per_weight / (chips * MEMORY_BYTES_S)


def kv_bytes_a_token(heads: int, head_dim: int, layers: int = LAYERS) -> int:
    """Bytes of keys and values of one token in 16 bit."""
    return 2 * 2 * layers * heads * head_dim


def longest_context(batch: int, heads: int, head_dim: int, *, copies: int = 1) -> float:
    """Tokens of context for each of `batch` sequences, when every chip gives a share of its memory; `copies` of the cache are held."""
    return KV_SHARE * CHIPS * MEMORY_BYTES / (batch * copies * kv_bytes_a_token(heads, head_dim))


def weight_stationary_1d(tokens: float, embed: float) -> float:
    """Elements that a chip sends and receives a layer's feed-forward part, weights cut along one axis: 2 B L E."""
    return 2 * tokens * embed


def weight_stationary_2d(tokens: float, embed: float, chips: int) -> float:
    """The same with weights cut along both axes in the best proportion, for F = 4 E: 8 B L E / √n."""
    return 8 * tokens * embed / sqrt(chips)


def weight_gathered(tokens: float, embed: float, feed_forward: float, chips: int) -> float:
    """The same with weights gathered over the best number of chips and activations cut over the rest: 4 E √(B L F / n)."""
    return 4 * embed * sqrt(tokens * feed_forward / chips)


UTILIZATION = Table(
    "Tables 2 and 3: PaLM-540B on 64 chips",
    "Task",
    ("Percent of peak",),
    (
        Row("int8, one prompt of 2,048: 0.29 s", (Cell(43, 100 * mfu(2048, 0.29)),)),
        Row("int8, 64 sequences, 64 tokens each: 1.82 s", (Cell(14, 100 * mfu(64 * 64, 1.82)),)),
        Row("bf16, 512 prompts of 2,048: 85.2 s", (Cell(76, 100 * mfu(512 * 2048, 85.2)),)),
        Row("bf16, 512 sequences, 64 tokens each: 6.0 s", (Cell(33, 100 * mfu(512 * 64, 6.0)),)),
    ),
)
CONTEXT = Table(
    "Table 1: longest context with 30 % of the memory for keys and values",
    "Attention",
    ("Batch 128", "Batch 512"),
    tuple(
        Row(
            name,
            tuple(
                Cell(value, longest_context(batch, heads, size, copies=copies), 0)
                for batch, value in zip((128, 512), published, strict=True)
            ),
        )
        for name, heads, size, copies, published in (
            ("multihead, 64 heads of 128", HEADS, HEAD_DIM // 2, 1, (1320, 330)),
            ("one head of keys, on every chip", 1, HEAD_DIM, CHIPS, (660, 165)),
            ("one head of keys, cut by sequences", 1, HEAD_DIM, 1, (43_000, 10_700)),
        )
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    chips, most = int(knobs["chips"]), int(knobs["tokens"])
    tokens = [2**k for k in range(6, most.bit_length() + 1) if 2**k <= most] or [most]
    layouts = {
        "weights stay, one axis": [weight_stationary_1d(t, EMBED) for t in tokens],
        "weights stay, two axes": [weight_stationary_2d(t, EMBED, chips) for t in tokens],
        "weights travel": [weight_gathered(t, EMBED, FEED_FORWARD, chips) for t in tokens],
    }
    least = min(layouts, key=lambda name: layouts[name][-1])
    lines = tuple(
        Line(name, tuple((t, 2 * value / 1e6) for t, value in zip(tokens, values, strict=True)))
        for name, values in layouts.items()
    )
    return Figure(
        "Traffic of one layer's feed-forward part, 16 bit",
        "tokens in flight",
        "MB a chip",
        lines,
        f"With {tokens[-1]:,} tokens in flight on {chips} chips the least traffic is that of “{least}”.",
        log_x=True,
        log_y=True,
    )


STUDY = Study(
    slug="efficient-inference",
    title="Efficiently Scaling Transformer Inference",
    venue="MLSys 2023",
    arxiv="2211.05102",
    idea="How much of the machine a run used follows from its tokens and seconds, and how much context fits from the bytes of keys and "
    "values. With few tokens in flight it is cheaper to move activations, with many to move weights.",
    formulas=(
        "MFU = 2 P · tokens / (n · peak · seconds)",
        "1D: 2 B L E",
        "2D: 8 B L E / √n",
        "weights gathered: 4 E √(B L F / n)",
    ),
    tables=(UTILIZATION, CONTEXT),
    knobs=(Knob("chips", "Chips", 64, 4, 1024), Knob("tokens", "Tokens in flight, at most", 1_048_576, 64, 16_777_216)),
    figure=_figure,
)
