"""The course's own documents: its guides and pages, and what its papers say in the library.

Idea      Answers about a course come from what the course wrote. Pages are Markdown; of a paper's module in `papers` the docstring says
          the idea, the equation and the source, and the study's text what was measured. Both are read as text, so each sentence keeps its
          line and nothing is run. A page ends with links to others: they name what is said elsewhere and say none of it, so they are
          left out.
Equation  corpus = chunks(docs/**/*.md) ∪ chunks(mlsys_core/papers/*.py)
Paper     None.
Cost      A read of each file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from mlsys_core.retrieval.rag.chunks import Chunk, Section, Sentence, chunks, sections, sentences

TOLD = ("title", "idea")  # the texts of a study
ELSEWHERE = {"Read next", "Read on", "Where to read"}  # headings of links to other pages
FIELD = re.compile("(?:Idea|Equation|Paper|Cost) ")  # where a paragraph of a docstring begins


def corpus(root: Path, files: Collection[str] | None = None, *, words: int = 110, overlap: int = 30) -> list[Chunk]:
    """The documents below a checkout's folder in runs of sentences, files in the order of their names.

    files   those to take, as paths below `root`; without it all

    Raises FileNotFoundError where there are none, or one of `files` is not a document.
    """
    pages, papers = sorted((root / "docs").rglob("*.md")), sorted((root / "mlsys_core/papers").glob("*.py"))
    if not pages:
        raise FileNotFoundError(
            f"{root} has no docs/*.md, so there is nothing to answer from: name a checkout's folder."
        )
    found = {path.relative_to(root).as_posix(): path for path in (*pages, *papers)}
    gone = sorted(set(files or ()) - found.keys())
    if gone:
        raise FileNotFoundError(f"{', '.join(gone)} is no document of {root}: it was moved or removed.")
    taken = {name: path for name, path in found.items() if files is None or name in files}
    return list(chunks(_sections(taken), words, overlap))


def paper_section(file: str, source: str) -> Iterator[Section]:
    """What the module of a paper says: its docstring and its study's text, under the paper's title. Nothing without a study."""
    tree = ast.parse(source)
    told = _told(tree)
    if "title" not in told or not ast.get_docstring(tree):
        return
    end = tree.body[0].end_lineno or 1
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(source.splitlines()[:end], start=1):
        if FIELD.match(line):
            lines.append((number, ""))
        lines.append((number, line.strip().strip('"')))
    found = sentences(lines)
    if "idea" in told:
        idea = told["idea"]
        found.append(Sentence(str(idea.value), idea.lineno, idea.end_lineno or idea.lineno))
    yield Section(file, (str(told["title"].value),), tuple(found))


def _told(tree: ast.Module) -> dict[str, ast.Constant]:
    """The texts that a module gives its `Study`, by their names."""
    return {
        keyword.arg: keyword.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Study"
        for keyword in call.keywords
        if keyword.arg in TOLD and isinstance(keyword.value, ast.Constant)
    }


def _sections(files: Mapping[str, Path]) -> Iterator[Section]:
    for name, path in files.items():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            yield from paper_section(name, text)
        else:
            yield from (part for part in sections(name, text) if not ELSEWHERE.intersection(part.headings))
