"""The library as text: nothing that a docstring says is lost, every line has its number, and no path leads out of the catalogue."""

from __future__ import annotations

import ast
import re
import sys
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings

from tests.platform.web.syllabus.reader import Reader
from web.syllabus import library, pages
from web.syllabus.docstrings import docstring_of, marked
from web.syllabus.library import definitions, files, packages, within
from web.syllabus.pages import library_pages, link_to_product, render_page_text
from web.syllabus.source import render_source

ROOT = Path(__file__).resolve().parents[4]
SOURCES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "mlsys_core").rglob("*.py"))
IN_C = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "mlsys_core").rglob("*.c"))


@pytest.fixture
def tree(tmp_path, settings):
    """A library of our own in place of the real one, with links that lead out of it."""
    outside = tmp_path / "secret.py"
    outside.write_text('"""Secret."""\n')
    root = tmp_path / "base" / "mlsys_core"
    (root / "part" / "fast").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.py").write_text('"""More."""\n')
    for path, text in {
        "__init__.py": '"""All."""\n',
        "part/__init__.py": '"""Part. Of it."""\n',
        "part/one.py": "x = 1\n",
        "part/fast/two.c": "/* Two at once.\n\n   It is fast. */\n\nint two(void) { return 2; }\n",
    }.items():
        (root / path).write_text(text)
    (root / "notes.txt").write_text("not a module")
    (root / "link.py").symlink_to(outside)
    (root / "way").symlink_to(tmp_path / "elsewhere")
    settings.BASE_DIR = tmp_path / "base"
    for cached in (library.files, library.packages):
        cached.cache_clear()
    yield root
    for cached in (library.files, library.packages):
        cached.cache_clear()


def test_the_catalogue_has_every_module_and_nothing_else():
    assert sorted(files()) == sorted(SOURCES + IN_C)
    assert set(packages()) == {str(Path(path).parent) for path in SOURCES if path.endswith("__init__.py")}


def test_no_link_of_the_file_system_is_followed(tree):
    assert sorted(files()) == [
        "mlsys_core/__init__.py",
        "mlsys_core/part/__init__.py",
        "mlsys_core/part/fast/two.c",
        "mlsys_core/part/one.py",
    ]
    assert sorted(packages()) == ["mlsys_core", "mlsys_core/part"]
    assert packages()["mlsys_core"].packages == ("mlsys_core/part",)
    assert (files()["mlsys_core/part/one.py"].title, files()["mlsys_core/part/one.py"].lines) == ("", 1)
    assert [file.path for file in within("part")] == ["mlsys_core/part/fast/two.c", "mlsys_core/part/one.py"]
    assert within("par") == within("../secret.py") == within("") == ()


def test_c_beside_a_module_belongs_to_its_package(tree):
    file = files()["mlsys_core/part/fast/two.c"]
    assert (file.package, file.name, file.title, file.lines) == ("mlsys_core/part", "fast/two.c", "Two at once", 5)
    assert [paragraph.text for paragraph in docstring_of(file.text()).rest] == ["It is fast."]
    assert [file.path for file in within("part/fast")] == ["mlsys_core/part/fast/two.c"]
    read = Reader(render_source(file.text(), after=3, prefix="/s/", python=False))
    assert read.lines == {"L5": "5int two(void) { return 2; }\n"}


def test_reading_the_library_imports_nothing_of_it():
    """But for the published tables, which are standard library alone."""
    before = set(sys.modules)
    files(), packages()
    [definitions(file.text()) for file in list(files().values())[:40]]
    assert {name for name in set(sys.modules) - before if name.startswith("mlsys_core")} == set()


def test_every_word_of_every_docstring_is_shown():
    for path in SOURCES:
        text = (ROOT / path).read_text()
        told = (ast.get_docstring(ast.parse(text)) or "").split()
        found = docstring_of(text)
        title = f"{found.title}." if told[len(found.title.split()) - 1].endswith(".") else found.title
        facts, rest = (f"{fact.label} {fact.text}" for fact in found.facts), (part.text for part in found.rest)
        assert sorted(" ".join([title, *facts, *rest]).split()) == sorted(told), path
        assert text.splitlines()[found.last_line - 1].endswith('"""'), path
        if not path.endswith("__init__.py"):
            assert [fact.label for fact in found.facts] == ["Idea", "Equation", "Paper", "Cost"], path


def test_every_line_of_every_module_stands_at_its_number_and_its_links_lead_somewhere():
    for path, file in files().items():
        text = file.text()
        after = docstring_of(text).last_line
        read = Reader(render_source(text, after=after, prefix="/s/", python=file.is_python))
        lines = {f"L{number}": f"{number}{line}\n" for number, line in enumerate(text.splitlines(), 1)}
        assert read.lines == {place: lines[place] for place in read.lines}, path
        hidden = [line for number, line in enumerate(text.splitlines(), 1) if f"L{number}" not in read.lines]
        assert "".join(hidden[after:]) == "", path
        ours = {href.removeprefix("/s/") for href in read.hrefs if not href.startswith("#")}
        assert ours <= {*files(), *packages()}, path


def test_an_import_of_ours_is_a_link_and_others_are_not():
    text = (
        "import os\nfrom mlsys_core.parallelism.zero.cost import held_bytes\n"
        "from mlsys_core.parallelism import zero\nimport mlsys_core.nowhere\n"
    )
    read = Reader(render_source(text, after=0, prefix="/s/"))
    ours = [href for href in read.hrefs if href.startswith("/s/")]
    assert ours == ["/s/mlsys_core/parallelism/zero/cost.py", "/s/mlsys_core/parallelism"]


def test_what_a_module_holds_is_text_and_never_markup():
    text = '"""<script>alert(1)</script> `<b>x</b>`.\n\nIdea      <img src=x>\n"""\nx = "</span><script>alert(2)</script>"  # </pre>\n'
    shown = (
        render_source(text, after=0, prefix="/s/")
        + marked(docstring_of(text).title)
        + marked(docstring_of(text).facts[0].text)
    )
    assert not re.search(r"<(?!/?(span|a|code)\b)", shown)
    assert "alert(2)" in unescape(shown)


def test_words_between_backticks_are_code_and_links_where_there_is_something():
    assert marked("Read `flat`, then `a & b`.", {"flat": '/x"y'}) == (
        'Read <a href="/x&quot;y"><code>flat</code></a>, then <code>a &amp; b</code>.'
    )


def test_definitions_are_the_public_ones_by_their_lines():
    text = (ROOT / "mlsys_core/serving/blocks.py").read_text()
    found = definitions(text)
    assert {one.name for one in found} >= {"kv_bytes", "Table", "BlockManager"}
    for one in found:
        assert re.match(rf"(class|def|async def) {one.name}\b", text.splitlines()[one.line - 1])
        assert not one.name.startswith("_")
    assert next(one for one in found if one.name == "kv_bytes").says.startswith("Bytes of the keys and values")


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "docs/library").glob("*.md")))
def test_a_page_of_the_library_leads_only_to_pages_of_the_product(name):
    page = library_pages()[name]
    html, outline = render_page_text(page, "x")
    text = (ROOT / "docs/library" / f"{name}.md").read_text()
    assert text.splitlines()[0].replace("`", "") == f"# {page.title}"
    assert len(outline) == len(
        re.findall(r"^## ", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    )
    for href in re.findall(r'<a href="([^"]*)"', html):
        assert href.startswith(("https://", "#", "/o/x/library/")), href
    ours = re.findall(r"\]\(\.\./\.\./(mlsys_core[^)#]*)\)", text)
    for path in ours:
        assert f'href="/o/x/library/source/{path}"' in html
    assert html.count('class="language-python"') == len(re.findall(r"^```python$", text, re.MULTILINE))


def test_a_link_that_leads_nowhere_in_the_product_leaves_its_words():
    html = (
        '<a href="../../tests/benchmarks/kernels/matmul.py">bench</a> <a href="../../../etc/passwd">p</a> '
        '<a href="zero.md#how">z</a> '
        '<a href="../../mlsys_core/../labs/x.py">l</a> <a href="https://arxiv.org/abs/1?a=1&amp;b=2" rel="noopener">w</a> '
        '<a href="README.md">i</a>'
    )
    assert link_to_product(html, "x") == (
        'bench p <a href="/o/x/library/pages/zero/#how">z</a> l '
        '<a href="https://arxiv.org/abs/1?a=1&amp;b=2" rel="noopener">w</a> <a href="/o/x/library/">i</a>'
    )
    assert pages.FOLDER == "docs/library"
    assert Path(settings.BASE_DIR) == ROOT
