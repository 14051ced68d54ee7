"""Answers quote what is there and name where; without support there is none; the threshold is the best cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.retrieval.rag.answer import Answerer, Citation, calibrate
from mlsys_core.retrieval.rag.chunks import chunks, sections
from mlsys_core.retrieval.rag.hybrid import Hit, Hybrid

TEXT = """# Garden

## Apples
Apples ripen in September. They are picked by hand. A ladder helps
with the high branches.

## Pears
Pears are picked green. They ripen in a cellar, which takes
two weeks in November.

## Tools
A spade digs. A rake gathers leaves. Both hang in the shed.
"""


@pytest.fixture(scope="module")
def answerer():
    return Answerer(Hybrid(list(chunks(sections("garden.md", TEXT))), directions=4), 0.6)


def test_an_answer_is_a_quotation_with_file_heading_and_lines(answerer):
    found = answerer.answer("Where do pears ripen?")
    assert not found.refused
    assert found.citations[0].heading == "Pears"
    for sentence, place in zip(found.sentences, found.citations, strict=True):
        lines = " ".join(TEXT.splitlines()[place.start - 1 : place.stop])
        assert sentence in " ".join(lines.split())
    assert "They ripen in a cellar, which takes two weeks in November." in found.sentences
    assert "garden.md:8-9 (Pears)" in str(found)


def test_sentences_stand_in_the_order_of_the_text_and_each_adds_something(answerer):
    found = answerer.answer("Which tool digs, and where do both hang in the shed?")
    assert found.sentences == ("A spade digs.", "Both hang in the shed.")
    assert [place.start for place in found.citations] == sorted(place.start for place in found.citations)


def test_what_the_documents_do_not_say_is_refused_with_what_is_missing(answerer):
    found = answerer.answer("Which apples grow on Mars?")
    assert found.refused
    assert (found.sentences, found.citations) == ((), ())
    assert found.missing == ("grow", "mars")
    assert "The documents do not answer this" in str(found)
    assert answerer.answer("Quantum chromodynamics?").support == 0


def test_support_grows_with_what_is_said_and_never_leaves_its_range(answerer):
    supports = [answerer.best(q)[0] for q in ("Pears on Mars and Venus", "Pears on Mars", "Pears ripen", "Pears")]
    assert supports == sorted(supports)
    assert 0 < supports[0] < supports[-1] <= 1


def test_of_two_texts_that_say_as_much_the_short_one_is_quoted():
    words = " ".join(f"Word{i} is far from all else." for i in range(20))
    text = f"# Long\n{words} Figs ripen early.\n# Short\nFigs ripen early.\n# Other\nPlums fall.\n# More\nNuts crack.\n"
    long, *others = chunks(sections("figs.md", text), words=200)
    search = Hybrid([long, *others], directions=4)
    search.search = lambda _question, _k: [Hit(number, 0.0, 0, 0) for number in range(4)]  # the long one first
    support, chosen = Answerer(search, 0.5).best("Which figs ripen early?")
    assert chosen.heading == "Short"
    assert support == pytest.approx(1)


def test_a_higher_threshold_only_refuses_more(answerer):
    questions = ["Where do pears ripen?", "Who picks apples by hand?", "Which spade rusts?", "What does a rake cost?"]
    refused = [
        [Answerer(answerer.search, threshold).answer(question).refused for question in questions]
        for threshold in (0.0, 0.3, 0.6, 0.9, 1.0)
    ]
    for lower, higher in pairwise(refused):
        assert all(b or not a for a, b in zip(lower, higher, strict=True))
    assert not any(refused[0])


def test_a_question_without_a_word_and_a_threshold_that_is_none_are_refused(answerer):
    with pytest.raises(ValueError, match="no word"):
        answerer.answer("What is it?")
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        Answerer(answerer.search, 1.5)


def test_a_place_is_written_as_people_write_it():
    assert str(Citation("docs/a.md", "Title", 3, 4)) == "docs/a.md:3-4 (Title)"


SUPPORTS = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=12)


@settings(max_examples=150)
@given(SUPPORTS, SUPPORTS)
def test_no_cut_errs_less_than_the_calibrated_one(yes, no):
    def errors(threshold):
        return sum(x < threshold for x in yes) / len(yes) + sum(x >= threshold for x in no) / len(no)

    threshold = calibrate(yes, no)
    assert 0 < threshold < 1
    # a cut at the very ends answers all, or refuses all but full support
    assert errors(threshold) <= min(errors(cut / 40) for cut in range(1, 40)) + 1e-9


def test_a_cut_lies_in_the_middle_of_its_gap():
    assert calibrate([0.8, 0.9], [0.1, 0.4]) == pytest.approx(0.6)
    with pytest.raises(ValueError, match="two kinds"):
        calibrate([], [0.5])
