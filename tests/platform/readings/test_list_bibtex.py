"""BibTeX in and out: nothing is lost on the way round, accents are letters, and one broken entry costs no other."""

from __future__ import annotations

import time
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybtex.database import parse_string

from readings.keeping.bibtex import MOST_ENTRIES, BibTeXRefused, read_bibtex, write_bibtex
from readings.keeping.facts import PaperFacts

LETTERS = st.characters(categories=("L", "N", "P", "S"), exclude_characters="\xb4")


def words(alphabet=LETTERS, most: int = 40):
    """Text in one line, as the form stores it; composed, as keyboards write it."""
    import unicodedata

    return st.text(alphabet, min_size=1, max_size=most).map(
        lambda text: " ".join(unicodedata.normalize("NFC", text).split())
    )


SENTENCES = st.lists(words(most=12), min_size=1, max_size=8).map(" ".join)
NAMES = st.lists(
    words(st.characters(categories=("Lu", "Ll"), exclude_characters="\xb4"), 12), min_size=1, max_size=4
).map(" ".join)
PAPERS = st.builds(
    PaperFacts,
    title=SENTENCES,
    authors=st.lists(NAMES, max_size=5).map(", ".join),
    venue=st.one_of(st.just(""), SENTENCES),
    year=st.one_of(st.none(), st.integers(1900, 2099)),
    arxiv_id=st.sampled_from(["", "2104.04473", "2104.04473v2", "hep-th/9901001"]),
    doi=st.sampled_from(["", "10.1145/3458817.3476209", "10.1000/a_b%20(c)#d&e"]),
    url=st.sampled_from(["", "https://example.org/a_b%20c?d=e&f#g~h"]),
    topic_hint=st.one_of(st.just(""), words(most=40)),
)


@settings(max_examples=150, deadline=None)
@given(papers=st.lists(PAPERS, min_size=1, max_size=6))
def test_what_is_exported_comes_back_as_it_was(papers):
    entries = read_bibtex(write_bibtex(papers))
    assert [entry.problem for entry in entries] == [""] * len(papers)
    assert [entry.facts for entry in entries] == papers
    assert len({entry.key.lower() for entry in entries}) == len(papers)


@settings(max_examples=40, deadline=None)
@given(papers=st.lists(PAPERS, min_size=1, max_size=4))
def test_the_library_reads_the_whole_file_too(papers):
    assert len(parse_string(write_bibtex(papers), "bibtex").entries) == len(papers)


@pytest.mark.parametrize("odd", ["{", "}", "}{", "{}", "a{b}}c"])
def test_a_brace_in_an_address_breaks_no_file(odd):
    papers = [
        PaperFacts("A paper", doi=f"10.1234/{odd}"),
        PaperFacts("Another", url=f"https://example.org/{odd}"),
        PaperFacts("The last"),
    ]
    entries = read_bibtex(write_bibtex(papers))
    assert [entry.facts.title for entry in entries] == ["A paper", "Another", "The last"]
    assert unquote(entries[0].facts.doi) == papers[0].doi
    assert unquote(entries[1].facts.url) == papers[1].url


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"{\"U}ber", "Über"),
        (r"\'{e}t\'e", "été"),
        (r"Erd{\H{o}}s", "Erdős"),
        (r"\c{c}a va", "ça va"),
        (r"{\AA}ngstr{\"o}m", "Ångström"),
        (r"{\L}ukasz", "Łukasz"),
        (r"Gau{\ss}", "Gauß"),
        (r"\v{S}a\v{s}a", "Šaša"),
        (r"{\O}rsted", "Ørsted"),
        (r"\~{n}and\'{u}", "ñandú"),
        (r"{\'\i}ndice", "índice"),
        ("GPT--3 --- at scale", "GPT–3 — at scale"),
        (r"R\&D at 50\% of \$10", "R&D at 50% of $10"),
        ("Attention in $O(n^{2})$ time", "Attention in $O(n^{2})$ time"),
        ("{FlashAttention}: {IO}-Aware", "FlashAttention: IO-Aware"),
        ("50% of it", "50% of it"),
        (r"\emph{Fast} inference", "Fast inference"),
        ("Dragan Đ", "Dragan Đ"),
    ],
)
def test_latex_becomes_what_it_shows(latex, text):
    (entry,) = read_bibtex(f"@misc{{key, title = {{{latex}}}}}")
    assert entry.facts is not None
    assert entry.facts.title == text


def test_names_are_read_as_people_are_called():
    source = r"""@article{k, title="T", author = "G{\"o}del, Kurt and Ludwig van Beethoven and {Google Research} and
        King, Jr., Martin Luther and others"}"""
    (entry,) = read_bibtex(source)
    assert entry.facts.authors == "Kurt Gödel, Ludwig van Beethoven, Google Research, Martin Luther King Jr., et al."


def test_an_entry_names_its_paper_by_whatever_it_has():
    source = """
    @misc{a, title={A}, eprint={2104.04473}, archivePrefix={arXiv}}
    @misc{b, title={B}, doi={https://doi.org/10.48550/arXiv.2205.14135}}
    @misc{c, title={C}, url={https://arxiv.org/pdf/2210.17323v2.pdf}}
    @inproceedings{d, title={D}, doi={10.1145/3458817}, booktitle={SC}, date={2021-11-14}}
    """
    a, b, c, d = (entry.facts for entry in read_bibtex(source))
    assert (a.arxiv_id, b.arxiv_id, b.doi, c.arxiv_id) == ("2104.04473", "2205.14135", "", "2210.17323v2")
    assert (d.doi, d.venue, d.year) == ("10.1145/3458817", "SC", 2021)


BROKEN = """
@string{ sc = "SC" }
@comment{ nothing }
@inproceedings{good1, title = {First}, booktitle = sc, year = 2021}
@article{open, title = {It never ends, year = 2020
@article{good2, title = {Second}, journal = nobody}
@article{twice, title = {One}, title = {Two}}
@misc{empty, year = 2020}
@misc{}
@misc{bare title}
@misc{good3, title = "Third"}
"""


def test_broken_entries_are_named_one_by_one_and_cost_no_other():
    entries = {entry.key: entry for entry in read_bibtex(BROKEN)}
    assert [key for key, entry in entries.items() if entry.facts] == ["good1", "good2", "good3"]
    assert entries["good1"].facts.venue == "SC"
    problems = {key: entry.problem for key, entry in entries.items() if not entry.facts}
    assert set(problems) == {"open", "twice", "empty", "without a key", "bare"}
    assert problems["open"] == "It does not end: a brace or a quote is not closed."
    assert problems["empty"] == "It has no title."
    assert entries["open"].line == 5


@pytest.mark.parametrize("text", ["", "Megatron-LM", "@comment{x}", "@@@", "{" * 500])
def test_text_without_entries_says_so(text):
    with pytest.raises(BibTeXRefused, match="no BibTeX entry"):
        read_bibtex(text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('@misc{}(),="\\ \n#%$abc1'), max_size=120))
def test_no_text_breaks_the_reader(text):
    try:
        entries = read_bibtex(text)
    except BibTeXRefused:
        return
    assert all(bool(entry.facts) != bool(entry.problem) for entry in entries)


def test_far_too_much_is_refused():
    with pytest.raises(BibTeXRefused, match="more than 200"):
        read_bibtex("@misc{a, title={A}}\n" * (MOST_ENTRIES + 1))
    with pytest.raises(BibTeXRefused, match="more BibTeX than"):
        read_bibtex("@misc{a, title={A}}" + " " * 400_000)


def test_a_broken_abbreviation_costs_nobody_a_paper():
    source = (
        '@string{acm = "ACM}\n@string{osdi = "OSDI"}\n@misc{a, title={A}, series=acm}\n@misc{b, title={B}, series=osdi}'
    )
    assert [entry.facts.venue for entry in read_bibtex(source)] == ["acm", "OSDI"]


@pytest.mark.parametrize("stuff", ["x", "a and ", "{", "}", "{}", "\\'e ", "$", "$x$", "%", "--", "\\"])
def test_the_longest_text_is_read_in_seconds(stuff):
    field = stuff * (14_000 // len(stuff))
    source = f"@misc{{k, title = {{{field}}}, author = {{{field}}}}}\n"
    began = time.process_time()
    read_bibtex(source * 5)
    assert time.process_time() - began < 10
    assert read_bibtex("@misc{long, title={" + "x" * 40_000 + "}}")[0].problem.startswith("It is longer than 30,000")


def test_deep_nesting_is_a_problem_of_its_entry():
    deep, good = read_bibtex("@misc{deep, title={" + "{" * 5000 + "}" * 5000 + "}}\n@misc{good, title={G}}")
    assert not deep.facts
    assert good.facts
