"""SparseGPT and Wanda: what half of the weights costs by three methods, as it was measured, and what zeros save, as it follows.

Idea      A weight that is zero need not be stored, but where the others stand must be. What half of the weights costs depends on which go,
          and on whether the others are moved to make up for it.
Equation  bits a weight of b bits: (1 - s) b + 1 with a bit a place;   n:m: (n / m) (b + log2 m)
Paper     M. Sun et al., "A simple and effective pruning approach for large language models", ICLR 2024; the perplexities on WikiText-2 are
          those of the authors' repository, table "LLaMA-2 results"; E. Frantar, D. Alistarh, "SparseGPT", ICML 2023, section 4 (3 bits).
Cost      Constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

PATTERNS = ("50 %", "4:8", "2:4")
METHODS = ("magnitude", "SparseGPT", "Wanda")
BILLIONS = (7, 13, 70)
DENSE = (5.12, 4.57, 3.12)
PERPLEXITY: Mapping[tuple[str, str], tuple[float, float, float]] = {
    ("50 %", "magnitude"): (14.89, 6.37, 4.98),
    ("50 %", "SparseGPT"): (6.51, 5.63, 3.98),
    ("50 %", "Wanda"): (6.42, 5.56, 3.98),
    ("4:8", "magnitude"): (16.48, 6.76, 5.58),
    ("4:8", "SparseGPT"): (8.12, 6.60, 4.59),
    ("4:8", "Wanda"): (7.97, 6.55, 4.47),
    ("2:4", "magnitude"): (54.59, 8.33, 6.33),
    ("2:4", "SparseGPT"): (10.17, 8.32, 5.40),
    ("2:4", "Wanda"): (11.02, 8.27, 5.16),
}


def bitmap_bits(bits: float, sparsity: float) -> float:
    """Bits a weight where a bit for each says whether it stays, and those that stay have `bits`."""
    return (1 - sparsity) * bits + 1


def group_bits(bits: float, kept: int, of: int) -> float:
    """Bits a weight where `kept` of every `of` stay, each with its place in the group."""
    return kept / of * (bits + log2(of))


STORED = Table(
    "SparseGPT, section 4: half of the weights, the others in 4 bits",
    "Stored",
    ("Bits a weight",),
    (Row("values and a bit a place", (Cell(3, bitmap_bits(4, 0.5), 0),)),),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    pattern = PATTERNS[int(knobs["pattern"]) - 1]
    lines = [Line(method, tuple(zip(BILLIONS, PERPLEXITY[pattern, method], strict=True))) for method in METHODS]
    small = {method: PERPLEXITY[pattern, method][0] for method in METHODS}
    best = min(small, key=lambda method: small[method])
    return Figure(
        f"Perplexity of Llama 2, {pattern} of the weights",
        "billions of parameters",
        "perplexity",
        (*lines, Line("dense", tuple(zip(BILLIONS, DENSE, strict=True)))),
        f"With {pattern}, 7 billion parameters go from {DENSE[0]} to {small['magnitude']} by magnitude, and to {small[best]} by {best}.",
        log_x=True,
        log_y=True,
    )


STUDY = Study(
    slug="sparsity",
    title="A Simple and Effective Pruning Approach for Large Language Models",
    venue="ICLR 2024",
    arxiv="2306.11695",
    idea="The figure shows perplexities as the authors measured them: they need the models and cannot be computed here. Magnitude looks at "
    "weights alone; Wanda at weights times the size of their inputs; SparseGPT also moves what stays. The two are close at 50 %, and "
    "in 2:4, where choice is narrow, moving helps the small model most. What zeros save in bytes is arithmetic, with a place to store for "
    "each weight that stays.",
    formulas=(
        "Wanda: |W_ij| · ‖X_j‖₂, compared in a row",
        "SparseGPT: w_j² / [H⁻¹]_jj, H = X Xᵀ",
        "a bit a place: (1 - s) b + 1",
        "n:m: (n / m) (b + log2 m)",
    ),
    tables=(STORED,),
    knobs=(Knob("pattern", "Pattern: 1 is 50 %, 2 is 4:8, 3 is 2:4", 3, 1, 3),),
    figure=_figure,
)
