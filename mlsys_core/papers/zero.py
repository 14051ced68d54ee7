"""ZeRO: what data parallelism holds once a device too often, and what it costs not to.

Idea      Optimizer states, gradients and parameters are the same on every device of data parallelism; each can be held in
          parts, one a device, and be brought together when it is needed.
Equation  none: (2 + 2 + K) Ψ;   os: (4 + K/N) Ψ;   os+g: (2 + (2 + K)/N) Ψ;   os+g+p: (4 + K) Ψ / N;   K = 12 for mixed-precision Adam
Paper     S. Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter models", SC 2020, sections 3.1
          and 5, table 1, figure 1; section 7 (volumes).
Cost      A step moves 2 Ψ elements a device as data parallelism does, and 3 Ψ when parameters are held in parts.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

STAGES = ("none", "os", "os+g", "os+g+p")
NAMES = {"none": "nothing in parts", "os": "optimizer states", "os+g": "and gradients", "os+g+p": "and parameters"}
GIGA = 1e9


def bytes_per_device(parameters: float, devices: int, stage: str, optimizer_bytes: float = 12) -> float:
    """Bytes of model states on each device, by what is held in parts: 16-bit parameters and gradients, and `optimizer_bytes` of
    32-bit states a parameter (master copy, momentum, variance). Raises KeyError for a stage that there is not."""
    k, n = optimizer_bytes, devices
    per_parameter = {"none": 4 + k, "os": 4 + k / n, "os+g": 2 + (2 + k) / n, "os+g+p": (4 + k) / n}
    return per_parameter[stage] * parameters


def elements_moved(parameters: float, stage: str) -> float:
    """Elements that each device sends in a step, for many devices: reduce-scatter and all-gather, Ψ each; parameters in parts are
    gathered twice."""
    return {"none": 2, "os": 2, "os+g": 2, "os+g+p": 3}[stage] * parameters


def largest_model(memory_bytes: float, devices: int, stage: str) -> float:
    """Parameters whose states fill the memory of a device."""
    return memory_bytes / bytes_per_device(1.0, devices, stage)


def _cells(parameters: float, devices: int, published: tuple[float, ...]) -> tuple[Cell, ...]:
    stages = STAGES[-len(published) :]
    digits = [2 if value < 10 else 1 for value in published]
    return tuple(
        Cell(value, bytes_per_device(parameters, devices, stage) / GIGA, after)
        for value, stage, after in zip(published, stages, digits, strict=True)
    )


# table 1 prints 7.5 billion parameters in full; of the others the ends stand here
SEVEN = Table(
    "Table 1: gigabytes of model states a device, 7.5 billion parameters",
    "Devices",
    ("States", "and gradients", "and parameters"),
    tuple(
        Row(str(n), _cells(7.5e9, n, published))
        for n, published in (
            (1, (120, 120, 120)),
            (4, (52.5, 41.3, 30)),
            (16, (35.6, 21.6, 7.5)),
            (64, (31.4, 16.6, 1.88)),
            (256, (30.4, 15.4, 0.47)),
            (1024, (30.1, 15.1, 0.12)),
        )
    ),
)
LARGE = Table(
    "Table 1: larger models",
    "Parameters, devices",
    ("States", "and gradients", "and parameters"),
    (
        Row("128 B, 64", _cells(128e9, 64, (536, 284, 32))),
        Row("1 T, 1,024", _cells(1e12, 1024, (4011, 2013, 15.6))),
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    parameters, memory = knobs["billions"] * GIGA, knobs["memory"] * GIGA
    counts = [2**k for k in range(11)]
    lines = tuple(
        Line(NAMES[stage], tuple((n, bytes_per_device(parameters, n, stage) / GIGA) for n in counts))
        for stage in STAGES
    )
    fits = next((n for n in counts if bytes_per_device(parameters, n, "os+g+p") <= memory), None)
    least = f"from {fits} devices on" if fits else "on no number of devices up to 1,024"
    return Figure(
        "Model states on each device",
        "devices",
        "GB",
        (*lines, Line("memory of a device", tuple((n, knobs["memory"]) for n in counts))),
        f"{knobs['billions']:g} billion parameters fit into {knobs['memory']:g} GB a device {least} with everything in parts.",
        log_x=True,
        log_y=True,
    )


STUDY = Study(
    slug="zero",
    title="ZeRO: Memory Optimizations Toward Training Trillion Parameter Models",
    venue="SC 2020",
    arxiv="1910.02054",
    idea="A parameter costs 16 bytes in mixed-precision Adam, and data parallelism holds all 16 on every device. Held in parts, they "
    "shrink with the number of devices; only holding the parameters in parts costs more communication, half as much again.",
    formulas=(
        "states: (4 + 12/N) Ψ",
        "and gradients: (2 + 14/N) Ψ",
        "and parameters: 16 Ψ / N",
        "sent a step: 2 Ψ, 2 Ψ, 3 Ψ",
    ),
    tables=(SEVEN, LARGE),
    knobs=(
        Knob("billions", "Parameters, 10⁹", 7.5, 0.1, 10_000, whole=False),
        Knob("memory", "Memory of a device, GB", 80, 8, 1000, whole=False),
    ),
    figure=_figure,
)
