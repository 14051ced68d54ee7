"""Several who work together: a solver and a checker, an assistant and its search, a writer and an executor, a group and its chair."""

from __future__ import annotations

import contextlib
import io
import json
import re

import pytest

from mlsys_core.retrieval.agents.coding import Execution, code_in, write_and_execute
from mlsys_core.retrieval.agents.conversation import Conversation, Message, speaks, written
from mlsys_core.retrieval.agents.group import by_model, group_chat, in_turn
from mlsys_core.retrieval.agents.maths import CALCULATOR, objection, solve
from mlsys_core.retrieval.agents.models import Scripted
from mlsys_core.retrieval.agents.replay import replay
from mlsys_core.retrieval.agents.retrieval_chat import ask, grounded, places, search_tool
from mlsys_core.retrieval.rag.answer import Answerer
from mlsys_core.retrieval.rag.chunks import chunks, sections
from mlsys_core.retrieval.rag.hybrid import Hybrid
from mlsys_core.serving.chat import render


def apples(prompt):
    """Three boxes of 12 apples, 5 eaten: guesses first, and computes once it is told to."""
    seen = re.findall(r"Observation: (\S+)", prompt)
    if seen:
        return f"Answer: {seen[-1]}"
    if "never said" in prompt:
        return 'Thought: compute it.\nAction: calculator {"expression": "3 * 12 - 5"}'
    return "Thought: easy.\nAnswer: 32"


def test_a_number_that_the_calculator_never_said_is_sent_back():
    solution = solve("Three boxes hold 12 apples each, and 5 are eaten. How many are left?", Scripted(apples))
    assert solution.answer == "31"
    assert [trace.answer for trace in solution.traces] == ["32", "31"]
    assert "The calculator never said 32" in solution.traces[1].task
    assert solve("The same.", Scripted(lambda _prompt: "Answer: 32"), attempts=3).answer is None
    assert all(replay(trace, [CALCULATOR]) == trace for trace in solution.traces)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["Answer: many"], "is no number"),
        (["Hm."] * 9, "no answer within the budget"),
        (['Action: calculator {"expression": "7/2"}', "Answer: 3.4"], "never said 3.4"),
        (['Action: calculator {"expression": "7/2"}', "Answer: 3.5"], None),
        (['Action: calculator {"expression": "7/2"}', "Answer: 7/2."], None),
        (['Action: calculator {"expression": "1/0"}', "Answer: 0"], "never said 0"),
    ],
)
def test_the_checker_reads_where_an_answer_came_from(said, told):
    texts = iter(said)
    [trace] = solve("Solve.", Scripted(lambda _prompt: next(texts)), attempts=1).traces
    reason = objection(trace)
    assert (reason is None) == (told is None)
    assert told is None or told in reason


PAGE = """# Garden

## Pears
Pears are picked green. They ripen in a cellar, which takes two weeks.

## Apples
Apples are picked by hand in September.
"""


@pytest.fixture(scope="module")
def answerer():
    return Answerer(Hybrid(list(chunks(sections("garden.md", PAGE))), directions=3), 0.6)


def looks_up(*questions):
    """Searches with one question after the other until something is found, and answers with that or says that there is nothing."""

    def policy(prompt):
        seen = re.findall("Observation: (.*)", prompt)
        if seen and (not seen[-1].startswith("The documents do not") or len(seen) == len(questions)):
            return f"Answer: {seen[-1]}"
        return f"Action: search {json.dumps({'question': questions[len(seen)]})}"

    return Scripted(policy)


def test_an_assistant_answers_with_the_places_that_it_found(answerer):
    trace = ask("Where do pears ripen?", looks_up("Where do pears ripen?"), answerer)
    assert places(trace.answer)[0].startswith("garden.md:4")
    assert grounded(trace)
    assert replay(trace, [search_tool(answerer)]) == trace


def test_it_asks_again_in_other_words_and_says_so_when_there_is_nothing(answerer):
    found = ask("Where do the fruits mature?", looks_up("Where do fruits mature?", "Where do pears ripen?"), answerer)
    assert [step.observation is not None for step in found.steps] == [True, True, False]
    assert grounded(found)
    nothing = ask("Who owns Mars?", looks_up("Who owns Mars?", "Which person has Mars?"), answerer)
    assert nothing.answer.startswith("The documents do not answer this")
    assert grounded(nothing)


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        ("Where do pears ripen?", "In a cellar."),
        ("Where do pears ripen?", "In a barn [garden.md:400-401 (Pears)]"),
        ("Where do pears ripen?", "The documents do not answer this"),
        (None, "In a cellar [garden.md:4-4 (Pears)]"),
        (None, "The documents do not answer this"),
    ],
)
def test_an_answer_without_a_place_that_was_found_is_not_grounded(answerer, first, answer):
    def policy(prompt):
        if first and "Observation" not in prompt:
            return f"Action: search {json.dumps({'question': first})}"
        return f"Answer: {answer}"

    assert not grounded(ask("Where do pears ripen?", Scripted(policy), answerer))


def runs(code):
    """An executor for code that this test wrote itself."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(code, {})
    except (ArithmeticError, NameError) as error:
        return Execution(ok=False, output=f"{type(error).__name__}: {error}")
    return Execution(ok=True, output=out.getvalue())


def repairs(messages):
    """Writes a program with a fault, and mends it when the error names it."""
    if "division by zero" in messages[-1].text:
        return "Mended.\n```python\nprint(sum(range(10)) / 2)\n```"
    return "```\nprint(sum(range(10)) / 0)\n```"


def test_a_writer_mends_a_program_by_what_the_executor_said():
    chat = write_and_execute("Print half of the sum of 0 to 9.", repairs, runs)
    assert chat.finished
    assert [m.speaker for m in chat.messages] == ["user", "writer", "executor", "writer", "executor"]
    assert chat.messages[2].text == "It failed:\nZeroDivisionError: division by zero"
    assert chat.last == "It ran and printed:\n22.5"


def test_a_writer_without_a_program_is_told_so_and_rounds_end():
    chat = write_and_execute("Print 1.", lambda _messages: "I would rather not.", runs, rounds=2)
    assert not chat.finished
    assert len(chat.messages) == 5
    assert "no block of code" in chat.last


def test_of_a_long_output_the_writer_reads_the_end():
    long = write_and_execute(
        "Go.", lambda _m: "```\nx\n```", lambda _code: Execution(ok=True, output="a" * 5000 + "END")
    )
    assert long.last.endswith("END")
    assert "3003 characters are left out" in long.last
    assert write_and_execute("Go.", lambda _m: "```\n```", runs).last == "It ran and printed nothing."


def test_the_last_block_of_a_text_is_the_program():
    assert code_in("```\na\n```\nthen\n```python\nb\n```") == "b\n"
    assert code_in("none") is None


def test_a_conversation_is_written_as_serving_writes_it():
    messages = [Message("user", " Hello. "), Message("assistant", "Yes?")]
    assert written(messages, "assistant") == render([(m.speaker, m.text) for m in messages])
    assert written(messages) == "USER:\nHello.\n\nASSISTANT:\nYes?\n\n"


def test_a_model_speaks_at_its_own_name():
    prompts = []

    def policy(prompt):
        prompts.append(prompt)
        return " Good. \n"

    assert speaks("critic", Scripted(policy))([Message("user", "Is it?")]) == "Good."
    assert prompts == ["USER:\nIs it?\n\nCRITIC:\n"]


MEMBERS = {
    name: (lambda messages, name=name: f"{name} heard {len(messages)}") for name in ("planner", "coder", "critic")
}


def test_a_group_speaks_in_turn_until_someone_ends_it():
    chat = group_chat("Build it.", MEMBERS, in_turn(list(MEMBERS)), turns=9, end=lambda m: m.text == "planner heard 4")
    assert [m.speaker for m in chat.messages] == ["user", "planner", "coder", "critic", "planner"]
    assert chat.finished
    assert not group_chat("Build it.", MEMBERS, in_turn(list(MEMBERS)), turns=2).finished


def chair(prompt):
    """Gives the word to the coder after the planner, to the critic after the coder, and to the planner otherwise."""
    last = re.findall("^([A-Z]+):$", prompt, re.MULTILINE)[-1]
    return {"PLANNER": "CODER:", "CODER": "CRITIC:"}.get(last, "PLANNER:")


def test_a_model_chooses_who_speaks():
    chat = group_chat("Build it.", MEMBERS, by_model(Scripted(chair)), turns=4)
    assert [m.speaker for m in chat.messages[1:]] == ["planner", "coder", "critic", "planner"]
    assert chat == group_chat("Build it.", MEMBERS, by_model(Scripted(chair)), turns=4)


def test_a_chooser_who_names_a_stranger_is_told_once_and_then_the_next_in_line_speaks():
    names = iter(["boss", "critic", "boss", "boss"])
    chat = group_chat("Build it.", MEMBERS, lambda _messages: next(names), turns=2)
    assert [m.speaker for m in chat.messages] == ["user", "chair", "critic", "chair", "planner"]
    assert chat.messages[1].text == "“boss” is not here. Choose one of planner, coder, critic."
    with pytest.raises(ValueError, match="nobody"):
        group_chat("Build it.", {}, lambda _messages: "a")


def test_the_last_word_is_the_last_message():
    assert Conversation((Message("a", "b"), Message("c", "d")), finished=True).last == "d"
