"""Every page of docs/library shows code that runs and prints what the page says it prints."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[2] / "docs/library"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md")))
def test_what_a_page_shows_is_what_it_prints(page):
    """The `python` blocks of a page run one after the other; a `text` block after one is its exact output."""
    names: dict[str, object] = {"__name__": "page"}
    blocks = BLOCK.findall((PAGES / page).read_text())
    assert any(kind == "python" for kind, _ in blocks) or page == "README.md", "a page shows something that runs"
    printed = ""
    for kind, body in blocks:
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(body, page, "exec"), names)
            printed = out.getvalue()
        else:
            assert printed.strip() == body.strip()
