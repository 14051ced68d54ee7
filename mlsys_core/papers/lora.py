"""LoRA and QLoRA: how many parameters learn, and what a training keeps in memory.

Idea      Beside a frozen matrix a product of two thin ones learns, and states of the optimizer exist for these alone. The frozen part may
          then lie in four bits, whose scales are quantized once more.
Equation  learning: 2 L m d r;   bytes: 16 P;  2 P + 16 A;  (4 + 8/64 + 32/(64 · 256)) P / 8 + 16 A;   P = 12 L d²
Paper     E. Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022, section 4.2, tables 2 and 4 (parameters);
          T. Dettmers et al., "QLoRA: efficient finetuning of quantized LLMs", NeurIPS 2023, section 3 (bits).
Cost      Constant.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

GIGA, MEGA = 1e9, 1e6
ADAM_BYTES = 16  # a parameter that learns: weight and gradient of 16 bits, master copy and two moments of 32


def learning(layers: int, width: int, rank: int, matrices: int = 2) -> int:
    """Parameters of adapters on `matrices` square matrices a layer: A (r, d) and B (d, r) each. The paper takes queries and values, 2."""
    return 2 * layers * matrices * width * rank


def constants_bits(block: int = 64, second: int | None = 256) -> float:
    """Bits that scales add to a weight: 32 for a block, or 8, and 32 for `second` of these."""
    return 32 / block if second is None else 8 / block + 32 / (block * second)


def full_bytes(parameters: float) -> float:
    """States of a training of everything."""
    return ADAM_BYTES * parameters


def lora_bytes(parameters: float, adapters: float) -> float:
    """Frozen weights of 16 bits, and adapters with all their states."""
    return 2 * parameters + ADAM_BYTES * adapters


def qlora_bytes(parameters: float, adapters: float) -> float:
    """Frozen weights in NF4 with scales quantized twice, and adapters with all their states."""
    return (4 + constants_bits()) / 8 * parameters + ADAM_BYTES * adapters


ADAPTERS = Table(
    "Tables 2 and 4: parameters that learn, adapters on queries and values",
    "Model",
    ("10⁶",),
    tuple(
        Row(f"{name}: {layers} layers of {width}, r = {rank}", (Cell(published, learning(layers, width, rank) / MEGA),))
        for name, layers, width, rank, published in (
            ("RoBERTa base", 12, 768, 8, 0.3),
            ("RoBERTa large", 24, 1024, 8, 0.8),
            ("DeBERTa XXL", 48, 1536, 16, 4.7),
            ("GPT-3", 96, 12_288, 1, 4.7),
            ("GPT-3", 96, 12_288, 8, 37.7),
        )
    ),
)
SCALES = Table(
    "QLoRA, section 3: bits a weight for scales, blocks of 64",
    "Scales",
    ("Bits",),
    (
        Row("32 bits each", (Cell(0.5, constants_bits(second=None), 3),)),
        Row("8 bits each, 32 for 256 of them", (Cell(0.127, constants_bits(), 3),)),
        Row("saved", (Cell(0.373, constants_bits(second=None) - constants_bits(), 3),)),
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    layers, width, matrices = int(knobs["layers"]), int(knobs["width"]), int(knobs["matrices"])
    parameters = 12 * layers * width**2
    ranks = [2**k for k in range(9)]
    adapters = [learning(layers, width, rank, matrices) for rank in ranks]
    lines = (
        Line("everything learns", tuple((rank, full_bytes(parameters) / GIGA) for rank in ranks)),
        Line("LoRA", tuple((r, lora_bytes(parameters, a) / GIGA) for r, a in zip(ranks, adapters, strict=True))),
        Line("QLoRA", tuple((r, qlora_bytes(parameters, a) / GIGA) for r, a in zip(ranks, adapters, strict=True))),
    )
    few = learning(layers, width, 4, matrices)
    return Figure(
        "Weights and states of a training",
        "rank",
        "GB",
        lines,
        f"Of {parameters / GIGA:,.1f} billion parameters {few / MEGA:,.1f} million learn at rank 4, {parameters / few:,.0f} times fewer.",
        log_x=True,
        log_y=True,
    )


STUDY = Study(
    slug="lora",
    title="LoRA: Low-Rank Adaptation of Large Language Models",
    venue="ICLR 2022",
    arxiv="2106.09685",
    idea="How many parameters learn follows from the rank and from which matrices have adapters. GPT-3 with rank 4 on queries and values "
    "is what the abstract calls 10,000 times fewer. Activations are not in these figures: they are as many as before.",
    formulas=(
        "learning: A = 2 L m d r",
        "everything: 16 P bytes, P = 12 L d²",
        "LoRA: 2 P + 16 A",
        "QLoRA: (4 + 8/64 + 32/(64 · 256)) P / 8 + 16 A",
    ),
    tables=(ADAPTERS, SCALES),
    knobs=(
        Knob("layers", "Layers, L", 96, 1, 200),
        Knob("width", "Width, d", 12_288, 64, 32_768),
        Knob("matrices", "Matrices with adapters a layer, m", 2, 1, 4),
    ),
    figure=_figure,
)
