"""The planted questions about this repository's documents: most citations are right, and most of what has no answer is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsys_core.retrieval.rag.answer import Answer, Answerer, Citation
from mlsys_core.retrieval.rag.corpus import corpus
from mlsys_core.retrieval.rag.evaluate import Question, Report, calibrated, documents, evaluate, load
from mlsys_core.retrieval.rag.hybrid import Hybrid

ROOT = Path(__file__).resolve().parents[3]
FILE = Path(__file__).parent / "questions.toml"
FREE = Path(__file__).parent / "free_wording.toml"
QUESTIONS = load(FILE)
TEST = [question for question in QUESTIONS if question.split == "test"]


@pytest.fixture(scope="module")
def search():
    return Hybrid(corpus(ROOT, documents(FILE)))


@pytest.fixture(scope="module")
def answerer(search):
    return calibrated(search, QUESTIONS)


def test_there_are_fifty_with_known_places_and_twenty_without_and_others_to_calibrate():
    counts = [sum(bool(q.sources) is kind for q in TEST) for kind in (True, False)]
    held_out = [q for q in QUESTIONS if q.split == "calibration"]
    assert counts == [50, 20]
    assert min(sum(bool(q.sources) for q in held_out), sum(not q.sources for q in held_out)) >= 15
    assert not {q.text for q in TEST} & {q.text for q in held_out}


def test_every_place_that_a_question_names_is_there(search):
    there = {(chunk.file, chunk.heading) for chunk in search.chunks}
    gone = sorted({place for question in QUESTIONS for place in question.sources} - there)
    assert not gone, f"These places have another name now; change them in questions.toml: {gone}"


def test_nine_of_ten_citations_are_right_and_nine_of_ten_without_an_answer_are_refused(answerer):
    report = evaluate(answerer, TEST)
    told = [f"{answer.question}\n    {answer.support:.2f} {answer}" for answer in report.wrong]
    assert report.precision >= 0.9, "\n".join(told)
    assert report.correct >= 0.9, "\n".join(told)
    assert report.refusals >= 0.9, "\n".join(told)


def test_in_free_wording_the_right_place_is_among_the_first_five_in_three_of_four():
    """What is answered then is told on the page, and nothing to be proud of."""
    asked = [question for question in load(FREE) if question.sources]
    search = Hybrid(corpus(ROOT, documents(FREE)))
    places = {(chunk.file, chunk.heading) for chunk in search.chunks}
    assert not sorted({place for question in asked for place in question.sources} - places)
    assert len(asked) == 100
    found = [
        any((search.chunks[hit.number].file, search.chunks[hit.number].heading) in question.sources for hit in hits)
        for question, hits in ((question, search.search(question.text, 5)) for question in asked)
    ]
    assert sum(found) >= 75


def test_the_threshold_knows_nothing_of_the_questions_that_are_counted(search, answerer):
    assert calibrated(search, [q for q in QUESTIONS if q.split != "test"]).threshold == answerer.threshold
    turned = [Question(q.text, frozenset() if q.sources else frozenset({("a", "b")}), q.split) for q in TEST]
    held_out = [q for q in QUESTIONS if q.split == "calibration"]
    assert calibrated(search, turned + held_out).threshold == answerer.threshold


def test_without_a_threshold_only_a_question_of_unknown_words_is_refused(search):
    always = Answerer(search, 0.0)
    for question in TEST:
        assert always.answer(question.text).refused == (not search.search(question.text)), question.text
    assert evaluate(always, TEST).answered == 50


def test_the_same_question_has_the_same_answer_in_another_index(search, answerer):
    again = Answerer(Hybrid(corpus(ROOT, documents(FILE))), answerer.threshold)
    for question in TEST[::7]:
        assert again.answer(question.text) == answerer.answer(question.text)


def test_a_report_counts_citations_and_not_answers(search):
    class Fixed:
        def answer(self, text):
            good, bad = Citation("a", "h", 1, 1), Citation("b", "h", 1, 1)
            places = {"right": (good, good), "half": (good, bad), "refuses": (), "invents": (bad,)}[text]
            return Answer(text, ("s",) * len(places), places, 0.5, ())

    source = frozenset({("a", "h")})
    asked = [Question(text, source, "test") for text in ("right", "half", "refuses")] + [
        Question("invents", frozenset(), "test")
    ]
    report = evaluate(Fixed(), asked)
    assert report == Report(4, 3, 3, 2, 1, 0, report.wrong)
    assert [answer.question for answer in report.wrong] == ["half", "refuses", "invents"]
    assert (report.precision, report.refusals) == (0.75, 0.0)
    assert report.correct == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('[[question]]\ntext = "a"\nsplit = "train"', "Question 1 needs"),
        ('[[question]]\nsplit = "test"', "Question 1 needs"),
        ('[[question]]\ntext = "a"\nsplit = "test"\n' * 2, "asks a question twice"),
    ],
)
def test_a_file_of_questions_that_is_not_so_is_refused(tmp_path, toml, told):
    path = tmp_path / "q.toml"
    path.write_text(toml)
    with pytest.raises(ValueError, match=told):
        load(path)
