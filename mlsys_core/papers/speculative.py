"""Speculative decoding: tokens a pass, time and operations, as functions of how good and how cheap the draft is.

Idea      Each drafted token is kept with probability α until one is refused, so a pass gives a geometric number of tokens, cut at γ + 1.
          What drafting costs is a part c of a pass a token; what is drafted in vain costs operations.
Equation  E = (1 - α^(γ+1)) / (1 - α);   time: E / (γ c + 1) times faster;   operations: (γ ĉ + γ + 1) / E times as many
Paper     Y. Leviathan, M. Kalman, Y. Matias, "Fast inference from transformers via speculative decoding", ICML 2023, equation 1,
          theorems 3.8 and 3.11, table 1.
Cost      Constant.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table


def expected_tokens(alpha: float, gamma: int) -> float:
    """Tokens a pass for γ drafted tokens that are each kept with probability α: 1 + α + … + α^γ."""
    return float(gamma + 1) if alpha == 1 else (1 - alpha ** (gamma + 1)) / (1 - alpha)


def improvement(alpha: float, gamma: int, cost: float) -> float:
    """How many times faster than one token a pass, where drafting a token takes `cost` of a pass."""
    return expected_tokens(alpha, gamma) / (gamma * cost + 1)


def operations(alpha: float, gamma: int, cost: float = 0) -> float:
    """How many times as many operations, where a drafted token takes `cost` of the model's for a token."""
    return (gamma * cost + gamma + 1) / expected_tokens(alpha, gamma)


def best_gamma(alpha: float, cost: float, most: int = 64) -> int:
    """The number of drafted tokens, up to `most`, with the largest improvement; 0 where drafting does not pay."""
    return max(range(most + 1), key=lambda gamma: improvement(alpha, gamma, cost))


TOKENS = Table(
    "Table 1: speed and operations, where drafting is free",
    "Kept, drafted",
    ("Times faster", "Times the operations"),
    tuple(
        Row(
            f"α = {alpha}, γ = {gamma}",
            (Cell(speed, expected_tokens(alpha, gamma), 2), Cell(work, operations(alpha, gamma), 2)),
        )
        for alpha, gamma, work, speed in (
            (0.6, 2, 1.53, 1.96),
            (0.7, 3, 1.58, 2.53),
            (0.8, 2, 1.23, 2.44),
            (0.8, 5, 1.63, 3.69),
            (0.9, 2, 1.11, 2.71),
            (0.9, 10, 1.60, 6.86),
        )
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    cost, gamma = knobs["cost"], int(knobs["gamma"])
    rates = [k / 50 for k in range(50)]
    best = [best_gamma(alpha, cost) for alpha in rates]
    lines = (
        Line(f"γ = {gamma}", tuple((alpha, improvement(alpha, gamma, cost)) for alpha in rates)),
        Line("the best γ", tuple((a, improvement(a, g, cost)) for a, g in zip(rates, best, strict=True))),
        Line("one token a pass", tuple((alpha, 1.0) for alpha in rates)),
    )
    return Figure(
        "Speed against one token a pass",
        "probability that a drafted token is kept",
        "times faster",
        lines,
        f"With a draft that takes {cost:g} of a pass a token, drafting pays where more than {100 * cost:.3g} % of its tokens are kept.",
    )


STUDY = Study(
    slug="speculative-decoding",
    title="Fast Inference from Transformers via Speculative Decoding",
    venue="ICML 2023",
    arxiv="2211.17192",
    idea="A large model checks several guesses in the time of one token. How many tokens a pass gives follows from how often a guess is "
    "kept; guesses in vain cost operations and no time, as long as the machine waits for memory. The paper measured T5-XXL with "
    "T5-small as the draft: translation 3.4 times faster (γ = 7, α = 0.75), and 2.6 times when sampled at temperature 1 (α = 0.62).",
    formulas=(
        "E = (1 - α^(γ+1)) / (1 - α)",
        "times faster: E / (γ c + 1)",
        "times the operations: (γ ĉ + γ + 1) / E",
        "α = E[Σ min(p, q)] = 1 - E[TV(p, q)]",
    ),
    tables=(TOKENS,),
    knobs=(
        Knob("cost", "Cost of a drafted token, of a pass", 0.05, 0, 1, whole=False),
        Knob("gamma", "Drafted tokens, γ", 5, 1, 20),
    ),
    figure=_figure,
)
