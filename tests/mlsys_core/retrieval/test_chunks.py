"""Documents are cut at headings and between sentences, nothing is lost, and every sentence stands on the lines that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mlsys_core.retrieval.rag.chunks import Chunk, Section, Sentence, chunks, plain, sections, sentences
from mlsys_core.retrieval.rag.corpus import corpus, paper_section
from mlsys_core.retrieval.rag.terms import STOP, stem, terms

ROOT = Path(__file__).resolve().parents[3]
PAGE = """# A title

One sentence here. Another one, by J. Su, goes
over two lines.

## First part

- An item. It has two sentences.
- Another item,
  continued.

```python
# no heading
print("no sentence.")
```

### Inside

| word | means |
|---|---|
| a | the first |

## Second part
Last words
"""


def test_a_page_is_cut_at_its_headings_and_each_sentence_knows_its_lines():
    found = {part.headings: [(s.text, s.start, s.stop) for s in part.sentences] for part in sections("p.md", PAGE)}
    assert found == {
        ("A title",): [("One sentence here.", 3, 3), ("Another one, by J. Su, goes over two lines.", 3, 4)],
        ("A title", "First part"): [
            ("An item.", 8, 8),
            ("It has two sentences.", 8, 8),
            ("Another item, continued.", 9, 10),
        ],
        ("A title", "First part", "Inside"): [("word · means", 19, 19), ("a · the first", 21, 21)],
        ("A title", "Second part"): [("Last words", 24, 24)],
    }


def test_the_headings_of_every_document_are_those_that_a_parser_of_markdown_finds():
    parser = MarkdownIt("commonmark")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text()
        tokens = parser.parse(text)
        expected = {plain(tokens[i + 1].content) for i, token in enumerate(tokens) if token.type == "heading_open"}
        found = {heading for part in sections(path.name, text) for heading in part.headings}
        silent = expected - found  # headings with nothing but code, or nothing, below them
        assert found <= expected
        assert len(silent) <= 2


def test_every_sentence_of_the_documents_stands_on_its_lines():
    for chunk in corpus(ROOT):
        lines = (ROOT / chunk.file).read_text().splitlines()
        for sentence in chunk.sentences:
            there = re.sub(r"[^\w]+", "", plain(" ".join(lines[sentence.start - 1 : sentence.stop])))
            told = re.sub(r"[^\w]+", "", sentence.text)
            assert told[:40] in there or told[-40:] in there, (chunk.file, sentence)


SENTENCES = st.lists(st.integers(1, 12), min_size=1, max_size=25)


@settings(deadline=None, max_examples=80)
@given(SENTENCES, st.integers(2, 20), st.data())
def test_runs_hold_every_sentence_in_order_and_repeat_no_more_than_the_overlap(lengths, words, data):
    overlap = data.draw(st.integers(0, words - 1))
    made = tuple(Sentence(" ".join(f"s{i}" for _ in range(n)), i, i) for i, n in enumerate(lengths))
    runs = list(chunks(iter([Section("f", ("h",), made)]), words, overlap))
    seen = [sentence.start for run in runs for sentence in run.sentences]
    assert sorted(set(seen)) == list(range(len(lengths)))
    last = -1
    for run in runs:
        numbers = [sentence.start for sentence in run.sentences]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert numbers[0] <= last + 1
        assert numbers[-1] > last
        assert sum(lengths[n] for n in numbers if n <= last) <= overlap
        assert sum(lengths[n] for n in numbers) <= words or len(numbers) == 1
        last = numbers[-1]


def test_a_run_begins_with_the_end_of_the_one_before():
    made = tuple(Sentence(f"w{i} w{i}", i, i) for i in range(8))
    runs = list(chunks(iter([Section("f", ("h",), made)]), words=10, overlap=5))
    assert [[sentence.start for sentence in run.sentences] for run in runs] == [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]


def test_an_overlap_that_leaves_nothing_new_is_refused():
    with pytest.raises(ValueError, match="overlap is less"):
        list(chunks(iter(()), words=10, overlap=10))


def test_a_chunk_is_searched_with_its_headings_and_cited_by_the_last():
    chunk = Chunk("f.md", ("Title", "Part"), (Sentence("One.", 3, 3), Sentence("Two.", 4, 6)))
    assert (chunk.text, chunk.heading, chunk.lines, chunk.body) == ("Title Part One. Two.", "Part", (3, 6), "One. Two.")


def test_marks_of_markdown_are_no_part_of_a_sentence():
    [found] = sentences([(7, "See **the** [page](there.md#a) of `code`.")])
    assert found == Sentence("See the page of code.", 7, 7)


def test_a_papers_module_says_its_idea_its_source_and_what_was_measured():
    source = '"""A title line.\n\nIdea      Weights travel. So it is.\nPaper     X, 2020.\n"""\n'
    source += 'S = Study(slug="x", title="The Title", idea="It was "\n    "measured.")\n'
    [part] = paper_section("x.py", source)
    assert part.headings == ("The Title",)
    assert [(s.text, s.start, s.stop) for s in part.sentences][-1] == ("It was measured.", 6, 7)
    assert any("Weights travel." in s.text and s.start <= 3 <= s.stop for s in part.sentences)
    assert list(paper_section("y.py", '"""Says something."""\n')) == []


def test_the_corpus_has_all_guides_and_all_papers_and_needs_documents(tmp_path):
    files = {chunk.file for chunk in corpus(ROOT)}
    assert {"docs/student.md", "docs/library/zero.md", "mlsys_core/papers/vllm.py"} <= files
    assert "mlsys_core/papers/study.py" not in files
    with pytest.raises(FileNotFoundError, match="nothing to answer from"):
        corpus(tmp_path)


def test_a_corpus_of_named_documents_has_these_alone_and_says_which_one_is_gone():
    named = ["docs/student.md", "mlsys_core/papers/zero.py"]
    found = corpus(ROOT, named)
    assert {chunk.file for chunk in found} == set(named)
    assert found == [chunk for chunk in corpus(ROOT) if chunk.file in named]
    with pytest.raises(FileNotFoundError, match=r"docs/gone\.md is no document"):
        corpus(ROOT, [*named, "docs/gone.md"])


@pytest.mark.parametrize("heading", ["Read next", "Read on", "Where to read"])
def test_links_to_other_pages_are_no_text_to_answer_from(tmp_path, heading):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text(
        f"# A\n\nSaid here.\n\n## {heading}\n\n- [B](b.md): all of it.\n\n## Last\n\nSaid too.\n"
    )
    assert [chunk.heading for chunk in corpus(tmp_path)] == ["A", "Last"]


@pytest.mark.parametrize(
    "family",
    [
        ("grade", "grades", "graded", "grading"),
        ("compute", "computes", "computed", "computing", "computation"),
        ("quantize", "quantized", "quantization"),
        ("communicate", "communication", "communicating"),
        ("study", "studies"),
        ("submission", "submissions"),
        ("batch", "batches", "batched"),
        ("block", "blocks", "blocked"),
        ("run", "runs"),
        ("planned", "planning"),
    ],
)
def test_forms_of_a_word_have_one_stem(family):
    assert len({stem(word) for word in family}) == 1


def test_other_words_keep_other_stems_and_short_ones_and_numbers_stay():
    assert len({stem(word) for word in ("class", "clause", "bus", "base", "loss", "lose", "address", "sing")}) == 8
    assert [stem(word) for word in ("his", "16", "fp8", "e011")] == ["his", "16", "fp8", "e011"]


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_terms_are_stems_of_words_that_are_not_in_every_text(text):
    found = terms(text)
    assert all(found)
    assert not {word for word in re.findall(r"[^\W_]+", text.lower()) if word in STOP and stem(word) not in STOP} & set(
        found
    )
    assert terms(text.upper()) == found or not text.isascii()
