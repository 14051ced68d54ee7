"""The loop: what it does is in its trace, which replays to the letter; budgets hold; errors reach the model."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.retrieval.agents.calculator import calculator
from mlsys_core.retrieval.agents.loop import Call, act, opening, parse, run
from mlsys_core.retrieval.agents.models import Completion, Scripted
from mlsys_core.retrieval.agents.replay import ReplayError, replay
from mlsys_core.retrieval.agents.tools import ToolError, tool
from mlsys_core.retrieval.agents.trace import Budget, Step, Trace, first_difference, from_json

CALCULATOR = tool(calculator)


def adds_up(prompt):
    """Computes the sum of the task's numbers, two at a time, with the calculator; answers with the last result."""
    numbers = re.findall(r"\d+", re.search("Task: (.*)", prompt)[1])
    seen = re.findall(r"Observation: (\d+)", prompt)
    if len(seen) == len(numbers) - 1:
        return f"Thought: that is all.\nAnswer: {seen[-1]}"
    left = seen[-1] if seen else numbers[0]
    return f"Thought: on.\nAction: calculator {json.dumps({'expression': f'{left} + {numbers[len(seen) + 1]}'})}"


def says(*texts):
    """A model that says one text after the other, whatever it reads; and the prompts that it read."""
    prompts = []

    def policy(prompt):
        prompts.append(prompt)
        return texts[min(len(prompts), len(texts)) - 1]

    return Scripted(policy), prompts


def test_a_run_is_its_steps():
    trace = run("Add 3 and 40 and 500.", Scripted(adds_up), [CALCULATOR])
    assert (trace.outcome, trace.answer) == ("answered", "543")
    assert [step.observation for step in trace.steps] == ["43", "543", None]
    assert not any(step.failed for step in trace.steps)
    texts = list(trace.prompts())
    assert texts[0] == opening("Add 3 and 40 and 500.", [CALCULATOR])
    for before, after, step in zip(texts, texts[1:], trace.steps, strict=False):
        assert after == before + step.said + f"\nObservation: {step.observation}\n"
    assert [step.prompt_tokens for step in trace.steps] == [len(text.split()) for text in texts]


def test_the_model_is_told_of_its_tools_and_of_the_form():
    text = opening("Add.", [CALCULATOR])
    assert CALCULATOR.signature in text
    assert "Action: tool" in text
    assert text.endswith("Task: Add.\n")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 999), min_size=2, max_size=6))
def test_the_same_run_has_the_same_trace_and_comes_back_from_its_text(numbers):
    task = "Add " + " and ".join(map(str, numbers))
    trace = run(task, Scripted(adds_up), [CALCULATOR])
    assert trace == run(task, Scripted(adds_up), [CALCULATOR])
    assert trace.answer == str(sum(numbers))
    assert from_json(trace.to_json()) == trace
    assert from_json(trace.to_json()).to_json() == trace.to_json()
    assert replay(trace, [CALCULATOR]) == trace
    assert first_difference(trace, trace) is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I think it is 7.", "no action and no answer"),
        ("Action: calculator {expression: 1}", "are no JSON"),
        ("Action: abacus {}", "There is no tool “abacus”: the tools are calculator."),
        ("Action: calculator", "calculator needs “expression”"),
        ('Action: calculator {"expression": 7}', "is string, and not 7"),
        ('Action: calculator {"expression": "1/0"}', "divides by zero"),
        ('Action: calculator ["1"]', "are an object"),
    ],
)
def test_what_went_wrong_is_the_next_thing_that_the_model_reads(said, told):
    model, prompts = says(said, "Answer: 7")
    trace = run("Say 7.", model, [CALCULATOR])
    assert (trace.answer, trace.steps[0].failed) == ("7", True)
    assert told in trace.steps[0].observation
    assert prompts[1].endswith(f"{said}\nObservation: {trace.steps[0].observation}\n")
    assert replay(trace, [CALCULATOR]) == trace


def test_an_error_that_is_no_valueerror_is_a_fault_of_ours_and_not_the_models():
    def broken(a: int) -> int:
        """Fails."""
        raise KeyError(a)

    model, _ = says('Action: broken {"a": 1}')
    with pytest.raises(KeyError):
        run("Try.", model, [tool(broken)])


def test_whichever_comes_first_counts():
    assert parse("Answer: 3\nand more\nAction: x {}") == "3\nand more\nAction: x {}"
    assert parse('Action: x {"a": [1]}\nAnswer: 3') == Call("x", {"a": [1]})
    with pytest.raises(ToolError):
        act(Call("x", {}), {})


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_budget_of_steps_is_that_many_calls(steps):
    model, prompts = says('Action: calculator {"expression": "1"}')
    trace = run("Go on.", model, [CALCULATOR], Budget(steps=steps))
    assert (len(prompts), len(trace.steps), trace.outcome, trace.answer) == (steps, steps, "steps", None)
    assert replay(trace, [CALCULATOR]) == trace


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 600), st.integers(1, 6))
def test_no_run_uses_more_tokens_than_its_budget(tokens, steps):
    model, _ = says('Thought: again and again.\nAction: calculator {"expression": "2*3"}')
    trace = run("Go on.", model, [CALCULATOR], Budget(steps, tokens))
    assert trace.tokens <= tokens
    assert len(trace.steps) <= steps
    assert trace.outcome == ("steps" if len(trace.steps) == steps else "tokens")
    if trace.outcome == "tokens":
        text = trace.opening + "".join(step.text for step in trace.steps)
        assert trace.tokens + model.count(text) + 1 > tokens
    assert replay(trace, [CALCULATOR]) == trace


def test_a_text_is_cut_where_the_budget_ends():
    model, _ = says("one two  three\nfour five")
    assert model.complete("a b c", 3) == Completion("one two  three", 3, 3)
    assert model.complete("a b c", 5).text == "one two  three\nfour five"
    with pytest.raises(ValueError, match="allow at least one"):
        Budget(steps=0)


def test_a_replay_with_another_tool_names_the_step_where_it_parts():
    def clock() -> int:
        """The time."""
        return random.randrange(10**9)

    model, _ = says("Action: clock", "Action: clock {}", "Answer: late")
    trace = run("What time is it?", model, [tool(clock)])
    with pytest.raises(ReplayError, match="Step 1 differs: observation was"):
        replay(trace, [tool(clock)])
    assert replay(trace, [tool(clock)], recorded_tools=True) == trace


def test_a_replay_with_recorded_tools_repeats_errors_too():
    model, _ = says("Action: abacus {}", 'Action: calculator {"expression": "1/0"}', "Hm.", "Answer: 1")
    trace = run("Try.", model, [CALCULATOR])
    assert [step.failed for step in trace.steps] == [True, True, True, False]
    assert replay(trace, [CALCULATOR], recorded_tools=True) == trace


def test_a_replay_without_the_tools_says_that_the_texts_differ():
    trace = run("Add 1 and 2", Scripted(adds_up), [CALCULATOR])
    with pytest.raises(ReplayError, match="begin with different texts"):
        replay(trace, [])


def changed(trace, **fields):
    steps = list(trace.steps)
    steps[1] = Step(**({name: getattr(steps[1], name) for name in Step.__dataclass_fields__} | fields))
    return Trace(trace.task, trace.budget, trace.opening, tuple(steps), trace.outcome, trace.answer)


@pytest.mark.parametrize("fields", [{"observation": "8"}, {"said": "Answer: 8"}, {"failed": True}])
def test_a_trace_that_was_changed_does_not_replay(fields):
    trace = run("Add 1 and 2 and 3", Scripted(adds_up), [CALCULATOR])
    with pytest.raises(ReplayError, match="not what was recorded"):
        replay(changed(trace, **fields), [CALCULATOR])


def test_differences_are_told_by_the_first_step_the_count_and_the_end():
    trace = run("Add 1 and 2 and 3", Scripted(adds_up), [CALCULATOR])
    shorter = Trace(trace.task, trace.budget, trace.opening, trace.steps[:2], "steps", None)
    assert first_difference(trace, changed(trace, output_tokens=99)).startswith("Step 2 differs: output_tokens was")
    assert first_difference(trace, shorter) == "One has 3 steps, the other 2."
    other = Trace(trace.task, trace.budget, trace.opening, trace.steps, "answered", "7")
    assert "ended by answered with '6'" in first_difference(trace, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored.pop("steps"),
        lambda stored: stored.update(version=99),
        lambda stored: stored.update(outcome="bored"),
        lambda stored: stored.update(answer=3),
        lambda stored: stored["steps"][0].update(said=None),
        lambda stored: stored["steps"][0].update(colour="red"),
        lambda stored: stored.update(steps=3),
    ],
)
def test_a_text_that_is_no_trace_is_refused(change):
    stored = json.loads(run("Add 1 and 2", Scripted(adds_up), [CALCULATOR]).to_json())
    change(stored)
    with pytest.raises(ValueError, match="trace"):
        from_json(json.dumps(stored))
