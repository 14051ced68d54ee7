"""Hostile PDFs in every real sandbox: each is told in a sentence or reported on, costs what it may, leaves nothing behind, and the next
paper is read as before. And a reader that a PDF has taken over: what it says is believed only as far as it can be true."""

from __future__ import annotations

import hashlib
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.api import GraderFault, check_format, close_sandboxes
from grader.contract import (
    FindingState,
    FormatReport,
    FormatSpec,
    PageImage,
    PaperStyle,
    Refusal,
    SandboxKind,
    SubmittedFile,
)
from grader.papers import reader
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.choose import open_sandbox
from tests.support import require

from .leftovers import Leftovers
from .papers import CASES, HELLO, one_page
from .test_hostile import SANDBOXES

LONGEST_S, JUDGE_CPU_S, JUDGE_MB = 60.0, 5.0, 256
Read = tuple[FormatReport, list[PageImage]]


class Desk:
    """Looks at PDFs in one sandbox."""

    def __init__(self, kind: SandboxKind, folder: Path) -> None:
        self.kind, self._file = kind, folder / "paper.pdf"
        self.leftovers = Leftovers()

    def look(self, data: bytes) -> Read:
        """As a worker does."""
        self._file.write_bytes(data)
        file = SubmittedFile("paper.pdf", str(self._file), hashlib.sha256(data).hexdigest())
        return check_format(FormatSpec(file, PaperStyle.FREE, sandbox=self.kind, allow_approximate_limits=True))


@pytest.fixture(scope="module")
def desks() -> Iterator[dict[SandboxKind, Desk]]:
    made: dict[SandboxKind, Desk] = {}
    yield made
    close_sandboxes()
    assert [left for desk in made.values() for left in desk.leftovers.at_the_end()] == []


@pytest.fixture
def desk(request, desks, tmp_path_factory) -> Desk:
    kind = SandboxKind(request.param)
    try:
        sandbox = open_sandbox(kind, allow_approximate_limits=True)
        sandbox.open(reader.LIMITS, reader.PACKAGES).close()
    except SandboxUnavailable as reason:
        require(kind.value, str(reason))
    if kind not in desks:
        desks[kind] = Desk(kind, tmp_path_factory.mktemp(kind.value))
        desks[kind].look(one_page(HELLO))
        desks[kind].leftovers.settle()
    return desks[kind]


in_both_sandboxes = pytest.mark.parametrize("desk", SANDBOXES, indirect=True)


@in_both_sandboxes
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_pdf_is_told_in_a_sentence_or_reported_on(desk, case):
    data = case.make()
    cpu, memory, started = time.process_time(), _peak_mb(), time.monotonic()
    told, rules = "", None
    try:
        report, images = desk.look(data)
        rules = {one.rule for one in report.findings if one.state is not FindingState.PASSED}
        assert all(image.png.startswith(b"\x89PNG") for image in images)
    except Refusal as refusal:
        told = str(refusal)
    assert time.monotonic() - started < LONGEST_S
    assert time.process_time() - cpu < JUDGE_CPU_S
    assert _peak_mb() - memory < JUDGE_MB
    if rules is None:
        assert case.told, f"refused: {told}"
        assert re.search(case.told, told), told
    else:
        assert rules == case.rules, rules
    assert desk.leftovers.found() == []
    report, images = desk.look(one_page(HELLO))
    assert (len(report.pages), len(images)) == (1, 1), "the next one is read as before"


OPEN = {"pages": 1, "meta": {}, "scripts": 0, "attachments": 0}
PAGE = {"width": 100, "height": 100, "lines": [], "fonts": [], "pictures": [], "launches": 0, "cut": False}
LINE = ["a", 0, 0, 0, 0, 0, 0, 0, True]
LIES = {
    "another kind": ("return 7", "return {}", "return None"),
    "no number": (f"return {OPEN | {'pages': float('nan')}}".replace("nan", "float('nan')"), "", ""),
    "pages without end": (f"return {OPEN | {'pages': 10**400}}", "", ""),
    "fewer than no pages": (f"return {OPEN | {'pages': -1}}", "", ""),
    "pages as text": (f"return {OPEN | {'pages': '1'}}", "", ""),
    "more than is asked": (f"return {OPEN | {'passed': True}}", "", ""),
    "a long text": (f"return {OPEN | {'meta': {'Author': 'x' * 100_000}}}", "", ""),
    "a wide page": ("", f"return {PAGE | {'width': 10**9}}", ""),
    "many lines": ("", f"return {PAGE} | {{'lines': [{LINE}] * 1501}}", ""),
    "a place that is no place": ("", f"return {PAGE | {'lines': [['a', 0, 0, 10**12, 0, 0, 0, 0, True]]}}", ""),
    "an exception": ("raise ValueError('/secret')", "", ""),
    "an end": ("import os; os._exit(0)", "", ""),
    "a crash": ("import ctypes; ctypes.string_at(0)", "", ""),
    "junk on every descriptor": (
        "import os\n    for number in range(1, 30):\n        try: os.write(number, b'GLF1' * 100)\n        except OSError: pass",
        "",
        "",
    ),
    "a pickle": ("return np.frombuffer(b'cos\\nsystem\\n(S\"x\"\\ntR.', np.uint8)", "", ""),
}
PICTURES = {
    "another kind": "return 'PNG'",
    "another type": "return np.zeros((9, 9, 3), np.float64)",
    "another shape": "return np.zeros((9, 9), np.uint8)",
    "larger than asked": "return np.zeros((2000, 2000, 3), np.uint8)",
    "of nothing": "return np.zeros((0, 9, 3), np.uint8)",
}


def taken_over(monkeypatch, tmp_path: Path, opened: str, page: str, picture: str) -> None:
    """From now on the reader answers so."""
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import numpy as np\n"
        f"def open_paper(_, data):\n    {opened or f'return {OPEN}'}\n"
        f"def read_page(_, number):\n    {page or f'return {PAGE}'}\n"
        f"def draw_page(_, number, longest):\n    {picture or 'return np.zeros((9, 9, 3), np.uint8)'}\n"
    )
    monkeypatch.setattr(reader, "DRIVER", driver)


@in_both_sandboxes
@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_true_is_not_believed(desk, monkeypatch, tmp_path, lie):
    taken_over(monkeypatch, tmp_path, *LIES[lie])
    with pytest.raises(reader.UnreadablePaper) as told:
        desk.look(b"%PDF-1.7")
    assert "broke the program" in str(told.value)
    assert "/secret" not in str(told.value)
    assert told.value.note


@in_both_sandboxes
@pytest.mark.parametrize("lie", PICTURES)
def test_a_picture_that_cannot_be_one_is_left_out(desk, monkeypatch, tmp_path, lie):
    taken_over(monkeypatch, tmp_path, "", "", PICTURES[lie])
    report, images = desk.look(b"%PDF-1.7")
    assert images == []
    assert "could not be drawn" in report.notes[0]


@in_both_sandboxes
def test_more_lines_than_anybody_writes_are_not_gone_through(desk, monkeypatch, tmp_path):
    taken_over(
        monkeypatch, tmp_path, f"return {OPEN | {'pages': 120}}", f"return {PAGE} | {{'lines': [{LINE}] * 1500}}", ""
    )
    with pytest.raises(Refusal, match="15,000 lines"):
        desk.look(b"%PDF-1.7")


@in_both_sandboxes
def test_a_reader_that_tells_the_truth_is_believed(desk, monkeypatch, tmp_path):
    taken_over(monkeypatch, tmp_path, "", "", "")
    report, images = desk.look(b"%PDF-1.7")
    assert (report.pages[0].width, len(images)) == (1.0, 1)


@in_both_sandboxes
def test_a_reader_that_cannot_be_loaded_is_our_fault(desk, monkeypatch, tmp_path):
    taken_over(monkeypatch, tmp_path, "", "", "")
    reader.DRIVER.write_text("import no_such_library\n")
    with pytest.raises(GraderFault, match="could not be loaded"):
        desk.look(b"%PDF-1.7")


@in_both_sandboxes
def test_a_reader_that_waits_is_waited_for_in_vain(desk, monkeypatch, tmp_path):
    taken_over(monkeypatch, tmp_path, "import time; time.sleep(60)", "", "")
    monkeypatch.setattr(reader, "TOGETHER_S", 1.0)
    with pytest.raises(GraderFault, match="in vain"):
        desk.look(b"%PDF-1.7")


@in_both_sandboxes
def test_the_reader_reaches_nothing(desk, monkeypatch, tmp_path):
    tries = (
        "import os, socket\n"
        "    through = []\n"
        f"    for path in ({str(tmp_path)!r}, {str(Path(__file__))!r}, '/etc/passwd', '/proc/1/environ'):\n"
        "        try: os.listdir(path) if path.startswith('/tmp') else open(path).read(1); through.append(path)\n"
        "        except OSError: pass\n"
        "    try: socket.create_connection(('127.0.0.1', 22), 1); through.append('network')\n"
        "    except OSError: pass\n"
        "    try: open('/gradlab/x', 'w'); through.append('written')\n"
        "    except OSError: pass\n"
        f"    return {OPEN} | {{'meta': {{'Author': ' '.join(through + sorted(os.environ))}}}}"
    )
    taken_over(monkeypatch, tmp_path, tries, "", "")
    seen: list[str] = []
    plain = reader.PaperReader.open
    monkeypatch.setattr(
        reader.PaperReader, "open", lambda one: (found := plain(one), seen.append(found.meta["Author"]))[0]
    )
    desk.look(b"%PDF-1.7")
    allowed = {"/etc/passwd", "HOME", "LANG", "LC_CTYPE", "PATH", "PYTHONHASHSEED", "TRITON_INTERPRET"}
    allowed |= {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PWD"}
    assert set(seen[0].split()) <= allowed


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
