"""A run as a picture: who computed what and when, and which messages passed, drawn from the log alone.

Idea      A row a rank and track, time to the right. What the eye looks for is white: a rank that waits.
Equation  x = left + width · t / elapsed
Paper     H. L. Gantt, "Work, wages, and profits", 1910.
Cost      One mark a span and one a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from mlsys_core.parallelism.communication import Log, Message, Span

LEFT, ROW, BAR, AXIS = 116, 26, 18, 22  # pixels: names, from row to row, height of a bar, the line of times
PALETTE = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#888888")
SYMBOLS = "#=+%@*o~"
Row = tuple[int, str]  # rank, track


def rows_of(log: Log) -> list[Row]:
    """The rows of a picture: every rank with its computation, and with what ran beside it where something did."""
    beside = {(span.rank, span.track) for span in log.spans if span.track != "main"}
    return sorted(
        {(rank, "main") for rank in range(len(log.ended_at))} | beside, key=lambda row: (row[0], row[1] != "main")
    )


def names_of(log: Log) -> list[str]:
    """Names of spans in the order of their first appearance in time, which is the order of colours and symbols."""
    return list(dict.fromkeys(span.name for span in _in_order(log.spans)))


def timeline_text(log: Log, columns: int = 64, symbol: Callable[[Span], str] | None = None) -> str:
    """The spans of a run as text, `columns` characters for the whole time, then a line that explains the symbols.

    `symbol` gives the character of a span (a pipeline may give the number of the micro-batch); without it each name has one.
    A span is as many characters as there are columns whose middle it covers, so that sums are right and short spans may vanish.
    """
    names = names_of(log)
    marks = {name: SYMBOLS[place % len(SYMBOLS)] for place, name in enumerate(names)}
    lines = []
    for rank, track in rows_of(log):
        cells = ["."] * columns
        for span in _in_order(log.spans):
            if (span.rank, span.track) == (rank, track):
                mark = marks[span.name] if symbol is None else symbol(span)
                for column in _columns(span, log.elapsed, columns):
                    cells[column] = mark
        lines.append(f"rank {rank:<3} {track:7}|{''.join(cells)}|")
    if symbol is None:
        lines.append("  ".join([f"{marks[name]} {name}" for name in names] + [". idle"]))
    return "\n".join(lines)


def timeline_svg(
    log: Log,
    title: str = "Timeline",
    width: int = 800,
    *,
    messages: bool = True,
    unit: str = "s",
) -> str:
    """The run as an SVG image of `width` pixels: a bar a span with its name as a tooltip, a line a message.

    Colours are attributes and not styles, so that the image may stand in a page that forbids inline style.
    """
    rows = {row: AXIS + place * ROW for place, row in enumerate(rows_of(log))}
    scale = (width - LEFT - 10) / (log.elapsed or 1.0)
    names, bottom = names_of(log), AXIS + len(rows) * ROW
    parts = [*_axis(log.elapsed, scale, bottom, unit), *_labels(rows)]
    parts += [
        _bar(span, rows[span.rank, span.track], scale, _colour(span.name, names)) for span in _in_order(log.spans)
    ]
    if messages:
        parts += [_line(message, rows, scale) for message in sorted(log.messages, key=_when)]
    parts += _legend(names, bottom + 8)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 30}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11">\n<title>{escape(title)}</title>\n{body}\n</svg>\n'
    )


def _in_order(spans: Iterable[Span]) -> list[Span]:
    """The log is in no particular order; a picture is."""
    return sorted(spans, key=lambda span: (span.begun_at, span.rank, span.track, span.name, span.ended_at))


def _when(message: Message) -> tuple[float, int, int, float]:
    return message.left_at, message.source, message.to, message.arrived_at


def _columns(span: Span, elapsed: float, columns: int) -> range:
    if not elapsed:
        return range(0)
    first, last = (round(time / elapsed * columns) for time in (span.begun_at, span.ended_at))
    return range(first, min(last, columns))


def _colour(name: str, names: list[str]) -> str:
    return PALETTE[names.index(name) % len(PALETTE)]


def _axis(elapsed: float, scale: float, bottom: int, unit: str) -> list[str]:
    ticks = [elapsed * part / 4 for part in range(5)]
    return [
        f'<line x1="{LEFT + t * scale:.1f}" y1="{AXIS - 4}" x2="{LEFT + t * scale:.1f}" y2="{bottom}" stroke="currentColor" '
        f'stroke-opacity="0.15"/><text x="{LEFT + t * scale:.1f}" y="{AXIS - 8}" text-anchor="{anchor}" '
        f'fill="currentColor">{t:.3g} {escape(unit)}</text>'
        for t, anchor in zip(ticks, ("start", "middle", "middle", "middle", "end"), strict=True)
    ]


def _labels(rows: dict[Row, int]) -> list[str]:
    return [
        f'<text x="4" y="{y + BAR - 5}" fill="currentColor">rank {rank}{"" if track == "main" else " " + escape(track)}</text>'
        for (rank, track), y in rows.items()
    ]


def _bar(span: Span, y: int, scale: float, colour: str) -> str:
    said = f"{span.name}, rank {span.rank}: {span.begun_at:.4g} to {span.ended_at:.4g}"
    return (
        f'<rect x="{LEFT + span.begun_at * scale:.2f}" y="{y}" width="{(span.ended_at - span.begun_at) * scale:.2f}" '
        f'height="{BAR}" fill="{colour}" stroke="white" stroke-width="0.5"><title>{escape(said)}</title></rect>'
    )


def _line(message: Message, rows: dict[Row, int], scale: float) -> str:
    """From the row where it was sent to the row where it came in: of its track, where the rank has one."""
    ends = [rows.get((rank, message.track), rows[rank, "main"]) + BAR / 2 for rank in (message.source, message.to)]
    said = f"{message.label or 'message'}, {message.source} to {message.to}: {message.size} bytes"
    return (
        f'<line x1="{LEFT + message.left_at * scale:.2f}" y1="{ends[0]:.1f}" x2="{LEFT + message.arrived_at * scale:.2f}" '
        f'y2="{ends[1]:.1f}" stroke="currentColor" stroke-opacity="0.5" stroke-width="0.8">'
        f"<title>{escape(said)}</title></line>"
    )


def _legend(names: list[str], y: int) -> list[str]:
    """One square and one name beside the other; a letter is about six pixels."""
    parts, x = [], LEFT
    for name in names:
        parts.append(
            f'<rect x="{x}" y="{y}" width="10" height="10" fill="{_colour(name, names)}"/>'
            f'<text x="{x + 14}" y="{y + 9}" fill="currentColor">{escape(name)}</text>'
        )
        x += 30 + 6 * len(name)
    return parts
