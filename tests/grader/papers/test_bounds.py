"""What the trusted side does with the most that it can be told takes a moment, whatever it is told."""

from __future__ import annotations

import time
import zlib

import numpy as np
import pytest

from grader.contract import FormatSpec, PaperStyle, SubmittedFile
from grader.papers import facts
from grader.papers.check import report_of
from grader.papers.layout import sheet
from grader.papers.png import SIGNATURE, encode
from grader.papers.reader import MOST_LINES

DOCUMENT = facts.Document(pages=20, meta={}, scripts=0, attachments=0)
SPEC = FormatSpec(SubmittedFile("report.pdf", "", ""), PaperStyle.NEURIPS_2020, None, 8)
TEXTS = {
    "headings": "1 References and a heading",
    "numbers": "12",
    "names": "our previous " * 30,
    "mails": "a.b+c-" * 60 + "@",
    "braces": "{" * 200 + "}@" * 100,
    "spaces": " " * 399 + "x",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("font", ["Times-Bold", "Arial"])
def test_the_most_lines_of_anything_are_gone_through_in_seconds(text, font):
    each = MOST_LINES // 20
    lines = tuple(
        facts.Line(
            text, 10_800, 100 * row, 50_400, 100 * row + 1000, 100 * row + 800, 0, 1200 if row % 3 else 1000, True
        )
        for row in range(each)
    )
    page = facts.Page(61_200, 79_200, lines, (facts.Font(font, embedded=True),), (), 0, cut=False)
    sheets = [sheet(number, page) for number in range(1, 21)]
    started = time.process_time()
    report = report_of(SPEC, DOCUMENT, sheets)
    assert time.process_time() - started < 5
    assert len(report.to_json()) < 200_000


class TestPng:
    def test_it_is_what_its_format_says(self):
        """Taken apart by hand: signature, chunks with their sums, palette, rows."""
        pixels = np.zeros((3, 2, 3), np.uint8)
        pixels[0, 0], pixels[2, 1] = (255, 255, 255), (255, 0, 0)
        data, chunks = encode(pixels), {}
        assert data.startswith(SIGNATURE)
        at = len(SIGNATURE)
        while at < len(data):
            size, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
            body = data[at + 8 : at + 8 + size]
            assert int.from_bytes(data[at + 8 + size : at + 12 + size]) == zlib.crc32(name + body)
            chunks[name] = body
            at += 12 + size
        assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
        assert chunks[b"IHDR"] == bytes([0, 0, 0, 2, 0, 0, 0, 3, 8, 3, 0, 0, 0])
        rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(3, 3)
        palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
        assert (rows[:, 0] == 0).all()
        assert (palette[rows[:, 1:]] == pixels).all()

    def test_another_decoder_sees_the_same_colours_to_a_sixteenth(self, tmp_path):
        from PIL import Image

        pixels = np.random.default_rng(498).integers(0, 256, (40, 30, 3), dtype=np.uint8) // 64 * 85
        (tmp_path / "a.png").write_bytes(encode(pixels))
        with Image.open(tmp_path / "a.png") as seen:
            assert np.abs(np.asarray(seen.convert("RGB")).astype(int) - pixels).max() <= 16

    def test_more_colours_than_fit_take_the_nearest(self, tmp_path):
        from PIL import Image

        pixels = np.random.default_rng(498).integers(0, 256, (100, 100, 3), dtype=np.uint8)
        (tmp_path / "a.png").write_bytes(encode(pixels))
        with Image.open(tmp_path / "a.png") as seen:
            assert np.abs(np.asarray(seen.convert("RGB")).astype(int) - pixels).mean() < 32

    @pytest.mark.parametrize("pixels", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2, 3), np.uint8)])
    def test_what_is_no_picture_is_refused(self, pixels):
        with pytest.raises(ValueError, match="no pixels"):
            encode(pixels)
