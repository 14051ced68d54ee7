"""Pictures of a schedule in time: lines of text, and SVG for a page.

Idea      A row a rank, time to the right, a box an action; what stays empty is the bubble.
Equation  columns of an action = duration / unit, with the greatest unit of which all times are multiples
Paper     after the figures of D. Narayanan et al., SC 2021, section 2.2.
Cost      One box an action.
"""

from __future__ import annotations

from fractions import Fraction
from html import escape
from math import gcd, lcm

from mlsys_core.parallelism.pipeline.schedule import Kind
from mlsys_core.parallelism.pipeline.simulate import Step, Timeline

MOST_COLUMNS, PALE = 200, 0.28
NAMES = {
    Kind.FORWARD: "forward",
    Kind.BACKWARD: "backward",
    Kind.INPUT: "backward: gradient of the input",
    Kind.WEIGHT: "backward: gradients of the weights",
}
# own names, so that a page may choose its colours; boxes are pale, and their text has the page's colour in both themes
COLOURS = {
    Kind.FORWARD: "var(--pipeline-forward, #3b7dd8)",
    Kind.BACKWARD: "var(--pipeline-backward, #2f9e5b)",
    Kind.INPUT: "var(--pipeline-input, #2f9e5b)",
    Kind.WEIGHT: "var(--pipeline-weight, #c07a1e)",
}
LEFT, ROW, BOX, CHARACTER = 64, 34, 26, 7.2  # pixels


def draw_text(timeline: Timeline) -> str:
    """A line a rank: `F0` begins the forward of microbatch 0, `F0.1` that in chunk 1, `-` goes on, `.` is idle.

    Raises ValueError where the times have so small a common unit that a line would have more than 200 columns.
    """
    times = [time for step in timeline.steps for time in (step.begun_at, step.ended_at)]
    unit = _unit(times)
    columns = int(timeline.elapsed / unit)
    if columns > MOST_COLUMNS:
        raise ValueError(f"The picture would have {columns} columns: use rounder times, or draw it as SVG.")
    width = max(len(str(step.action)) for step in timeline.steps) + 1
    lines = []
    for rank in range(timeline.schedule.ranks):
        cells = ["."] * columns
        for step in timeline.steps:
            if step.rank == rank:
                first, last = int(step.begun_at / unit), int(step.ended_at / unit)
                cells[first:last] = [str(step.action), *["-" * (width - 1)] * (last - first - 1)]
        lines.append(f"rank {rank}  " + "".join(cell.ljust(width) for cell in cells).rstrip())
    return "\n".join(lines)


def draw_svg(timeline: Timeline, *, identity: str = "pipeline", width: int = 960) -> str:
    """An SVG element for a page, with title and description; `identity` begins its ids, which are unique in a page."""
    schedule, rows = timeline.schedule, timeline.schedule.ranks
    scale = Fraction(width - LEFT - 8) / timeline.elapsed
    height = rows * ROW + 40
    title = f"{schedule.name}: {rows} ranks, {schedule.microbatches} microbatches"
    named = f'role="img" aria-labelledby="{identity}-title {identity}-desc"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12" {named}>',
        f'<title id="{identity}-title">{escape(title)}</title>',
        f'<desc id="{identity}-desc">{escape(_describe(timeline))}</desc>',
    ]
    parts += [
        f'<text x="0" y="{rank * ROW + BOX / 2 + 4:g}" fill="currentColor">rank {rank}</text>' for rank in range(rows)
    ]
    parts += [_box(step, schedule.chunks, float(step.begun_at * scale) + LEFT, float(scale)) for step in timeline.steps]
    return "\n".join([*parts, *_legend(timeline, rows * ROW + 8), "</svg>"])


def _describe(timeline: Timeline) -> str:
    share = timeline.bubble
    return (
        f"Each rank is a row and time runs to the right. The run takes {float(timeline.elapsed):g} units of time; ranks are idle "
        f"for {float(share):.3g} of their useful time ({share})."
    )


def _box(step: Step, chunks: int, x: float, scale: float) -> str:
    """Later chunks are stronger; the number of the chunk stands in the label, or in the hint where there is no room."""
    kind, size = step.action.kind, float(step.ended_at - step.begun_at) * scale
    label, y = str(step.action), step.rank * ROW
    hint = f"{label}: {NAMES[kind]} of microbatch {step.action.microbatch} in stage {step.stage}"
    text = ""
    if size >= len(label) * CHARACTER:
        text = f'<text x="{x + size / 2:.1f}" y="{y + BOX / 2 + 4:g}" text-anchor="middle" fill="currentColor">{label}</text>'
    return (
        f'<g><title>{hint}</title><rect x="{x:.1f}" y="{y}" width="{size:.1f}" height="{BOX}" fill="{COLOURS[kind]}"'
        f' fill-opacity="{PALE + 0.3 * step.action.chunk / chunks:.2f}" stroke="currentColor" stroke-opacity="0.45"/>{text}</g>'
    )


def _legend(timeline: Timeline, y: int) -> list[str]:
    used = {step.action.kind for step in timeline.steps}
    parts, x = [], float(LEFT)
    for kind in Kind:
        if kind in used:
            label = f"{kind} {NAMES[kind]}"
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="14" height="14" fill="{COLOURS[kind]}" fill-opacity="{PALE}"'
                f' stroke="currentColor" stroke-opacity="0.45"/>'
                f'<text x="{x + 20:.1f}" y="{y + 12}" fill="currentColor">{label}</text>'
            )
            x += 20 + len(label) * CHARACTER + 24
    if timeline.schedule.chunks > 1:
        parts.append(
            f'<text x="{x:.1f}" y="{y + 12}" fill="currentColor">stronger: later chunks (F0.1 is chunk 1)</text>'
        )
    return parts


def _unit(times: list[Fraction]) -> Fraction:
    """The greatest fraction of which all times are whole multiples."""
    bottom = lcm(*(time.denominator for time in times))
    return Fraction(gcd(*(int(time * bottom) for time in times)), bottom)
