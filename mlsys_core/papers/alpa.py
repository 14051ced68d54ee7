"""Alpa: where to cut a model into stages.

Idea      A pipeline is as slow as its slowest stage. If layers differ, equal numbers of layers make unequal stages; dynamic
          programming over cuts finds the best ones.
Equation  T = Σ t_i + (B - 1) max t_i for stages of t_i seconds and B microbatches
Paper     L. Zheng et al., "Alpa: automating inter- and intra-operator parallelism for distributed deep learning", OSDI 2022,
          section 5.1 (equation 2), section 8.2 and figure 10, table 5 (compilation).
Cost      O(n² s) for n layers and s stages, for each bound on the slowest stage; O(n²) bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table


def latency(stage_s: Sequence[float], microbatches: int) -> float:
    """Seconds of one step: each stage once, and the slowest again for every further microbatch."""
    return sum(stage_s) + (microbatches - 1) * max(stage_s)


def stages_of(layer_s: Sequence[float], cuts: Sequence[int]) -> list[float]:
    """Seconds of each stage, for layers cut before the numbers in `cuts`."""
    ends = [0, *accumulate(layer_s)]
    return [ends[b] - ends[a] for a, b in pairwise([0, *cuts, len(layer_s)])]


def equal_layers(layers: int, stages: int) -> list[int]:
    """Cuts into stages with as equal numbers of layers as can be, the longer ones first."""
    sizes = [layers // stages + (part < layers % stages) for part in range(stages)]
    return list(accumulate(sizes))[:-1]


def best_cuts(layer_s: Sequence[float], stages: int) -> list[int]:
    """The cuts with the least latency, for any number of microbatches: the sum does not depend on cuts, so the slowest stage decides.

    Raises ValueError where there are fewer layers than stages.
    """
    if not 1 <= stages <= len(layer_s):
        raise ValueError(f"{len(layer_s)} layers cannot make {stages} stages: give from 1 to {len(layer_s)}.")
    ends = [0.0, *accumulate(layer_s)]
    slowest: list[dict[int, tuple[float, list[int]]]] = [{0: (0.0, [])}]
    for _ in range(stages):
        slowest.append(_one_stage_more(slowest[-1], ends))
    found = slowest[-1][len(layer_s)][1]
    return found[1:]


def _one_stage_more(
    before: Mapping[int, tuple[float, list[int]]], ends: Sequence[float]
) -> dict[int, tuple[float, list[int]]]:
    """By how many layers are done: the least slowest stage, and where stages began."""
    found: dict[int, tuple[float, list[int]]] = {}
    for end in range(1, len(ends)):
        options = (
            (max(worst, ends[end] - ends[cut]), [*cuts, cut]) for cut, (worst, cuts) in before.items() if cut < end
        )
        best = min(options, default=None)
        if best is not None:
            found[end] = best
    return found


def uneven_layers(layers: int, growth: float) -> list[float]:
    """Seconds of layers of which the last takes `growth` times the first, as in a network whose width grows with depth."""
    return [growth ** (k / max(layers - 1, 1)) for k in range(layers)]


COMPILATION = Table(
    "Table 5: seconds to plan GPT-39B for 64 GPUs; the sum of its parts",
    "Part",
    ("Seconds",),
    (Row("all", (Cell(2393.26, 1582.66 + 804.48 + 1.65 + 4.47, 2),)),),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    layers, stages, growth = int(knobs["layers"]), min(int(knobs["stages"]), int(knobs["layers"])), knobs["growth"]
    layer_s, counts = uneven_layers(layers, growth), (1, 2, 4, 8, 16, 32, 64, 128)
    equal = stages_of(layer_s, equal_layers(layers, stages))
    best = stages_of(layer_s, best_cuts(layer_s, stages))
    whole = sum(layer_s)
    lines = tuple(
        Line(name, tuple((b, whole * b / latency(stage_s, b)) for b in counts))
        for name, stage_s in (("equal layers", equal), ("dynamic programming", best))
    )
    gain = latency(equal, 64) / latency(best, 64)
    return Figure(
        "Speed over one device",
        "microbatches",
        "times",
        (*lines, Line("all stages alike", tuple((b, stages * b / (b + stages - 1)) for b in counts))),
        f"With 64 microbatches, {stages} stages cut by dynamic programming are {gain:.2f} times as fast as stages of equal numbers of "
        "layers.",
        log_x=True,
    )


STUDY = Study(
    slug="alpa",
    title="Alpa: Automating Inter- and Intra-Operator Parallelism for Distributed Deep Learning",
    venue="OSDI 2022",
    arxiv="2201.12023",
    idea="The paper cuts a Wide-ResNet, whose layers grow, by dynamic programming: on 32 GPUs 2.6 times as fast as stages with equal "
    "numbers of operators and 1.6 times as fast as with equal numbers of layers. Such gains need a cluster; why there is one, and when "
    "there is none, the formula shows.",
    formulas=("T = Σ tᵢ + (B − 1) max tᵢ",),
    tables=(COMPILATION,),
    knobs=(
        Knob("layers", "Layers", 16, 2, 64),
        Knob("stages", "Stages", 4, 2, 32),
        Knob("growth", "Last layer / first layer", 8, 1, 100, whole=False),
    ),
    figure=_figure,
)
