"""Looking at one PDF: facts from behind the walls, findings from the rules, pictures of the pages that people will want to see."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..contract import (
    Finding,
    FindingState,
    FormatReport,
    FormatSpec,
    PageImage,
    PaperStyle,
    Refusal,
)
from ..judge.scoring import GraderFault
from ..sandbox.choose import open_sandbox
from .anonymity import anonymity_hints
from .facts import Document
from .findings import embedded_fonts, nothing_active, one_size, page_count, sizes
from .layout import Layout, Sheet, sheet
from .paper_rules import paper_findings
from .png import encode
from .reader import MOST_MB, PaperReader
from .sections import Outline
from .style import NEURIPS_2020

LONGEST, MOST_PICTURES = 1100, 40
ORDER = {FindingState.FAILED: 0, FindingState.HINT: 1, FindingState.PASSED: 2}


def check_format(
    spec: FormatSpec, should_stop: Callable[[], bool] = lambda: False
) -> tuple[FormatReport, list[PageImage]]:
    """A PDF's report and pictures of its pages, those with findings first.

    Raises `Refusal` with a sentence for a PDF that cannot be read, `Stopped` once `should_stop` says so, and `GraderFault` or
    `SandboxUnavailable` for what is our fault. Nothing of the PDF is run, and it is opened behind the walls alone.
    """
    started = time.perf_counter()
    data = _read(spec)
    sandbox = open_sandbox(spec.sandbox, allow_approximate_limits=spec.allow_approximate_limits)
    with PaperReader(sandbox, data, should_stop) as reader:
        document = reader.open()
        sheets = [sheet(number, page) for number, page in enumerate(reader.pages(document.pages), start=1)]
        report = report_of(spec, document, sheets)
        images, notes = _pictures(reader, report)
    took_ms = round((time.perf_counter() - started) * 1e3, 1)
    told = msgspec.structs.replace(report, notes=(*report.notes, *notes), sandbox=sandbox.name, duration_ms=took_ms)
    return told, images


def report_of(spec: FormatSpec, document: Document, sheets: list[Sheet]) -> FormatReport:
    """What the rules of the style say. Pure: the same facts give the same report."""
    notes = tuple(
        f"Page {one.number} holds more text than is looked at; what is said of it may be incomplete."
        for one in sheets
        if one.cut
    )[:5]
    if spec.style is not PaperStyle.NEURIPS_2020:
        return FormatReport(
            spec.style, sizes(sheets), len(sheets), _sorted(_plain_findings(spec, document, sheets)), notes=notes
        )
    outline = Outline(Layout(sheets, NEURIPS_2020.area), NEURIPS_2020)
    findings = paper_findings(document, outline, NEURIPS_2020, spec.pages_from, spec.pages_to)
    if not outline.layout.has_text:
        return FormatReport(spec.style, sizes(sheets), len(sheets), _sorted(findings), notes=notes)
    return FormatReport(
        style=spec.style,
        pages=sizes(sheets),
        content_pages=outline.content_pages,
        findings=_sorted([*findings, *anonymity_hints(document, outline)]),
        sections=outline.lengths(),
        parts=outline.parts(),
        notes=notes,
    )


def _plain_findings(spec: FormatSpec, document: Document, sheets: list[Sheet]) -> list[Finding]:
    """Of slides, and where no style is asked for: what can be wrong with any PDF."""
    what = "slides" if spec.style is PaperStyle.SLIDES else "pages"
    return [
        page_count(len(sheets), spec.pages_from, spec.pages_to, what=what),
        one_size(sheets),
        embedded_fonts(sheets),
        nothing_active(document, sheets),
    ]


def _pictures(reader: PaperReader, report: FormatReport) -> tuple[list[PageImage], list[str]]:
    """Pages with findings, then the others from the first on. A page that cannot be drawn ends it, and takes no finding away."""
    marked = {place.page for finding in report.findings for place in finding.places}
    wanted = sorted((page.page for page in report.pages), key=lambda page: (page not in marked, page))
    images: list[PageImage] = []
    try:
        for page in wanted[:MOST_PICTURES]:
            pixels = reader.picture(page, LONGEST)
            images.append(PageImage(page, pixels.shape[1], pixels.shape[0], encode(pixels)))
    except (Refusal, GraderFault):
        return images, [f"Page {page} could not be drawn within the limits, so some pages have no picture."]
    return images, []


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: ORDER[finding.state]))


def _read(spec: FormatSpec) -> bytes:
    """The stored bytes, checked against their hash: what is looked at is what was received."""
    path = Path(spec.file.path)
    if path.stat().st_size > MOST_MB << 20:
        raise Refusal(
            f"The PDF is larger than {MOST_MB} MB, so its format was not looked at. Make its pictures smaller."
        )
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != spec.file.sha256:
        raise GraderFault("the stored file is not the one that was received")
    return data
