"""Looking at PDFs of the tests' own making without walls: the driver in this process, then facts and rules as always."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from grader.contract import FindingState, FormatReport, FormatSpec, PaperStyle, SubmittedFile
from grader.papers import driver, facts
from grader.papers.check import report_of
from grader.papers.layout import sheet

Look = Callable[..., FormatReport]


def look_at(
    data: bytes, style: PaperStyle = PaperStyle.NEURIPS_2020, least: int | None = None, most: int | None = 8
) -> FormatReport:
    """The report of a PDF."""
    document = msgspec.convert(driver.open_paper(None, np.frombuffer(data, np.uint8)), facts.Document)
    numbers = range(1, document.pages + 1)
    pages = [msgspec.convert(driver.read_page(None, number), facts.Page) for number in numbers]
    spec = FormatSpec(SubmittedFile("report.pdf", "", ""), style, least, most)
    return report_of(spec, document, [sheet(number, page) for number, page in zip(numbers, pages, strict=True)])


def rules_of(report: FormatReport) -> set[str]:
    """The rules that found something."""
    return {finding.rule for finding in report.findings if finding.state is not FindingState.PASSED}


@pytest.fixture
def look() -> Look:
    """`look(data, …)`."""
    return look_at
