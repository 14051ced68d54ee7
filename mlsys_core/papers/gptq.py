"""GPTQ: what rounding costs a language model, with and without making good for it, and how much can be made good.

Idea      Rounding a weight does harm as far as it changes a layer's outputs. Weights that are still exact can undo the part of the change
          that they can express, and inputs that are correlated let them express much. What remains follows from the inputs' second
          moments alone: of each column, the part that the columns after it cannot foretell.
Equation  GPTQ's error / rounding's = Σ_j D_j / Σ_j H_jj,  H = L D Lᵀ from the last column to the first;
          neighbours correlated with ρ:  ((k - 1)(1 - ρ²) + 1) / k;   loss at b bits / at 4 = ((2^4 - 1) / (2^b - 1))² while it is small
Paper     E. Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers", ICLR 2023, its
          table of OPT on WikiText2; the authors' repository (LLaMA); J. Chee et al., "QuIP", NeurIPS 2023, section 3 (the error by D).
Cost      Constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table


@dataclass(frozen=True)
class Model:
    """Perplexities on WikiText2 of a model with `billions` of parameters; None where no figure could be confirmed."""

    billions: float
    exact: float
    rtn_4: float
    gptq_4: float
    rtn_3: float
    gptq_3: float | None

    def lost(self, method: str, bits: int) -> float | None:
        """Nats a token that `rtn` or `gptq` costs at 4 or 3 bits."""
        perplexity: float | None = getattr(self, f"{method}_{bits}")
        return None if perplexity is None else log(perplexity / self.exact)


OPT = (
    Model(0.125, 27.65, 37.28, 31.12, 1.3e3, 53.85),
    Model(0.35, 22.00, 25.94, 24.24, 64.57, 33.79),
    Model(1.3, 14.63, 48.17, 15.47, 1.3e4, 20.97),
    Model(2.7, 12.47, 16.92, 12.87, 1.6e4, 16.88),
    Model(6.7, 10.86, 12.10, 11.39, 5.8e3, 14.86),
    Model(13, 10.13, 11.32, 10.31, 3.4e3, None),
    Model(30, 9.56, 10.98, 9.63, 1.6e3, None),
    Model(66, 9.34, 110, 9.55, 6.1e3, 14.16),
    Model(175, 8.34, 10.54, 8.37, 7.3e3, None),
)
LLAMA = Model(7, 5.68, 6.29, 6.09, 25.54, 8.07)
# the library's model with outlier channels, perplexities a letter on windows of 128, means over three draws of the calibration's text;
# `compression.ladder` gives them
SMALL = Model(0.0011, 5.44, 6.38, 5.85, 6.89, 6.07)


def foretold(lost: float, bits: int, known: int = 4) -> float:
    """Loss at `bits` from the loss at `known` bits: squared errors of weights grow with the square of the step."""
    return lost * ((2.0**known - 1) / (2.0**bits - 1)) ** 2


def remaining(rho: float, columns: int) -> float:
    """The part of plain rounding's squared error that GPTQ leaves, for inputs with correlation ρ^|i - j| of columns i and j."""
    return ((columns - 1) * (1 - rho**2) + 1) / columns


# layers of 512 normal rows, 4 bits, such inputs: the library's two methods, and the ratio of their errors
COLUMNS = 128
COUNTED = ((0.0, 1.0), (0.5, 0.755), (0.8, 0.364), (0.9, 0.194), (0.95, 0.104))
ERRORS = Table(
    "GPTQ's squared error by that of rounding to nearest, counted with the library on layers of 128 inputs",
    "Correlation of neighbours",
    ("Ratio",),
    tuple(Row(f"ρ = {rho:g}", (Cell(counted, remaining(rho, COLUMNS), 3),)) for rho, counted in COUNTED),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    bits = int(knobs["bits"])
    published = [
        Line(label, tuple((m.billions, lost) for m in OPT if (lost := m.lost(method, bits)) is not None))
        for label, method in (("rounding to nearest", "rtn"), ("GPTQ", "gptq"))
    ]
    told = tuple((m.billions, foretold(lost, bits)) for m in OPT if (lost := m.lost("gptq", 4)) is not None)
    large, small = ((m.lost("rtn", bits) or 0.0) / (m.lost("gptq", bits) or 1.0) for m in (LLAMA, SMALL))
    return Figure(
        f"What {bits} bits cost OPT",
        "parameters, 10⁹",
        "nats a token",
        (*published, Line("GPTQ, foretold from 4 bits", told)),
        f"At {bits} bits rounding to nearest costs LLaMA-7B {large:.1f} times as many nats a token as GPTQ, and this library's small "
        f"model with outlier channels {small:.1f} times as many a letter.",
        log_x=True,
        log_y=True,
    )


STUDY = Study(
    slug="gptq",
    title="GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
    venue="ICLR 2023",
    arxiv="2210.17323",
    idea="Columns of a layer are rounded one after the other, and those that follow make good for the error, as far as their inputs are "
    "correlated. The paper's perplexities are drawn as what they cost, ln(perplexity / exact): nearly nothing at 4 "
    "bits, where rounding to nearest fails for some models, and little at 3, where it fails for all. On one A100 the paper quantizes "
    "13 billion parameters in 20.9 minutes and 175 billion in 4.2 hours; tokens then come up to 3.25 times faster (A100), or 4.5 (A6000).",
    formulas=(
        "error left: Σ D / Σ diag H, H = L D Lᵀ",
        "correlation ρ: ((k - 1)(1 - ρ²) + 1) / k",
        "loss at b bits = loss at 4 · (15 / (2^b - 1))²",
    ),
    tables=(ERRORS,),
    knobs=(Knob("bits", "Bits a weight", 3, 3, 4),),
    figure=_figure,
)
