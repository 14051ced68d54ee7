"""A served model in the loop: held to choices it keeps the form, takes what is most likely, and its prefixes are found again."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.retrieval.agents.calculator import calculator
from mlsys_core.retrieval.agents.conversation import Message
from mlsys_core.retrieval.agents.group import by_model, group_chat
from mlsys_core.retrieval.agents.loop import run
from mlsys_core.retrieval.agents.models import Served
from mlsys_core.retrieval.agents.replay import replay
from mlsys_core.retrieval.agents.reuse import append_only_cost, prefix_reuse
from mlsys_core.retrieval.agents.tools import tool
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.drafts import NGramDraft
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.lengths import FixedLength
from mlsys_core.serving.scheduler import SchedulerConfig
from mlsys_core.serving.speculative_batch import Speculation
from mlsys_core.workloads import small_model
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.text import Vocabulary

LETTERS = Vocabulary.of(string.printable + "“”…×≈")
CALCULATOR = tool(calculator)
CHOICES = (
    'Thought: add.\nAction: calculator {"expression": "2 + 3"}',
    'Thought: multiply.\nAction: calculator {"expression": "2 * 3"}',
    "Thought: enough.\nAnswer: 6",
)


def engine(page=8, cache="radix", context=2048):
    config = GPTConfig(vocab_size=len(LETTERS), context=context, dim=16, layers=1, heads=2, kv_heads=1, ffn=24)
    scheduler = SchedulerConfig(token_budget=4096, max_sequences=4)
    return Engine(
        GPT(config, seed=7), EngineConfig(blocks=512, block_size=page, prefix_cache=cache, scheduler=scheduler)
    )


def most_likely(model, prompt, choices):
    """Letter by letter with whole passes and no cache, among those that continue a choice."""
    said = ""
    while said not in choices:
        logits = model(torch.tensor(LETTERS.encode(prompt + said))[None])[0, -1]
        following = sorted({choice[len(said)] for choice in choices if choice.startswith(said)})
        said += max(following, key=lambda letter: float(logits[LETTERS.encode(letter)[0]].detach()))
    return said


def test_it_takes_letter_by_letter_what_whole_passes_take():
    served = Served(engine(), LETTERS, lambda _prompt: CHOICES)
    for prompt in ("Task: ", "Task: add 2 and 3.\n", "what?\n"):
        found = served.complete(prompt, 200)
        assert found.text == most_likely(served.engine.runner.model, prompt, CHOICES)
        assert (found.prompt_tokens, found.output_tokens) == (len(prompt), len(found.text))
    assert not served.engine.busy
    assert not served.engine.runner.model.head._forward_hooks


def test_a_limit_cuts_a_choice():
    served = Served(engine(), LETTERS, lambda _prompt: CHOICES[:1])
    assert served.complete("Task: ", 9).text == CHOICES[0][:9]


@pytest.mark.parametrize(("choices", "told"), [((), "at least one"), (("a", ""), "empty"), (("Yes", "Yes."), "begins")])
def test_choices_that_leave_none_or_have_no_end_are_refused(choices, told):
    with pytest.raises(ValueError, match=told):
        Served(engine(), LETTERS, lambda _prompt: choices).complete("a", 5)


def test_an_engine_that_serves_others_or_records_its_steps_is_refused():
    busy = engine()
    busy.add_request([1, 2, 3])
    with pytest.raises(ValueError, match="serves other requests"):
        Served(busy, LETTERS, lambda _prompt: CHOICES).complete("a", 5)
    recorded = engine()
    recorded.config = EngineConfig(decode_sizes=(1,))
    with pytest.raises(ValueError, match="decode_sizes"):
        Served(recorded, LETTERS, lambda _prompt: CHOICES)
    plan = Speculation(lambda: NGramDraft(len(LETTERS)), lambda: FixedLength(2))
    guessing = Engine(engine().runner.model, speculation=plan)
    with pytest.raises(ValueError, match="without speculation"):
        Served(guessing, LETTERS, lambda _prompt: CHOICES)


def in_order(prompt):
    """What the caller allows: first any computation, and from the second step on anything."""
    return CHOICES[:2] if "Observation" not in prompt else CHOICES[2:]


def test_a_loop_on_a_served_model_is_a_trace_like_any_other():
    trace = run("What is 2 times 3?", Served(engine(), LETTERS, in_order), [CALCULATOR])
    assert (trace.outcome, trace.answer) == ("answered", "6")
    assert trace.steps[0].observation in {"5", "6"}
    assert trace == run("What is 2 times 3?", Served(engine(cache="none"), LETTERS, in_order), [CALCULATOR])
    assert replay(trace, [CALCULATOR]) == trace


def longest_common(a, others):
    def common(other):
        return next((i for i, (x, y) in enumerate(zip(a, other, strict=False)) if x != y), min(len(a), len(other)))

    return max(map(common, others), default=0)


def by_hand(prompts, page):
    """Hit tokens by comparing every prompt with all before it, from the left."""
    return sum(
        page * (min(longest_common(prompt, prompts[:i]), len(prompt) - 1) // page) for i, prompt in enumerate(prompts)
    )


@pytest.mark.parametrize("page", [4, 8, 16])
def test_the_engine_finds_of_a_loops_texts_what_brute_force_finds(held, page):
    served = Served(engine(page), LETTERS, in_order)
    traces = [run(task, served, [CALCULATOR]) for task in ("What is 2 times 3?", "What is 2 times 4?")]
    prompts = [LETTERS.encode(text).tolist() for trace in traces for text in trace.prompts()]
    # beside the prompts the engine keeps what was said after them, all but the last letter, which was never computed
    said = [LETTERS.encode(step.said).tolist() for trace in traces for step in trace.steps]
    kept = [(prompt + output)[:-1] for prompt, output in zip(prompts, said, strict=True)]
    expected = sum(
        page * (min(longest_common(prompt, [k[: len(k) // page * page] for k in kept[:i]]), len(prompt) - 1) // page)
        for i, prompt in enumerate(prompts)
    )
    blocks = served.engine.blocks
    assert blocks.asked_tokens == sum(map(len, prompts))
    held("prefix reuse of a loop", "brute force", blocks.hit_tokens, expected, 0.0)
    assert blocks.hit_tokens >= prefix_reuse(prompts, page).hit
    assert blocks.hit_rate > 0.5


PROMPTS = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=14), min_size=1, max_size=8)


@settings(deadline=None, max_examples=150)
@given(PROMPTS, st.integers(1, 4))
def test_reuse_is_what_comparing_every_pair_finds(prompts, page):
    found = prefix_reuse(prompts, page)
    assert (found.asked, found.hit) == (sum(map(len, prompts)), by_hand(prompts, page))
    assert 0 <= found.rate < 1


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 40), st.lists(st.integers(0, 12), max_size=6), st.integers(1, 5))
def test_of_a_text_that_only_grows_the_formula_says_it(opening, added, page):
    text = list(range(opening + sum(added)))
    ends = [opening + sum(added[:i]) for i in range(len(added) + 1)]
    assert append_only_cost(opening, added, page) == prefix_reuse([text[:end] for end in ends], page)


def test_a_loop_that_changes_the_beginning_of_its_text_reuses_nothing():
    def rate(texts):
        return prefix_reuse([LETTERS.encode(text).tolist() for text in texts], 8).rate

    trace = run("Go on.", Served(engine(), LETTERS, lambda _prompt: CHOICES[:2]), [CALCULATOR])
    texts = list(trace.prompts())
    stamped = [f"{number}:{number}9 o'clock\n{text}" for number, text in enumerate(texts)]
    assert rate(stamped) == 0
    assert rate(texts) > 0.6
    growing = append_only_cost(len(texts[0]), [len(b) - len(a) for a, b in pairwise(texts)], 8)
    assert rate(texts) == growing.rate


def test_the_small_model_gives_the_word_to_one_who_speaks_in_plays():
    letters = small_model.VOCABULARY()
    chosen = Served(Engine(small_model.load()), letters, lambda _prompt: ("ROMEO:", "QZXVKJ:", "XRQWZT:"))
    names = iter(["What, ho!", "Good morrow."])
    members = dict.fromkeys(("romeo", "qzxvkj", "xrqwzt"), lambda _messages: next(names))
    chat = group_chat("Speak.", members, by_model(chosen), turns=2)
    assert [message.speaker for message in chat.messages] == ["user", "romeo", "romeo"]
    assert chat.messages[1] == Message("romeo", "What, ho!")
