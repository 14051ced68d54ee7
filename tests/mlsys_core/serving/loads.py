"""Draws of what an engine is given, and what comes out: of the engine, and of each request alone."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import strategies as st

from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.scheduler import SchedulerConfig
from tests.mlsys_core.serving.one_by_one import TINY, generate, tiny_model

LONGEST = 14 + 9
STEMS = ([1, 2, 3, 4, 5, 6], [1, 2, 3, 7], [8, 9, 8, 9, 8, 9, 8, 9], [])


@st.composite
def prompts(draw):
    """Prompts with some beginnings in common."""
    return draw(st.sampled_from(STEMS)) + draw(st.lists(st.integers(0, TINY.vocab_size - 1), min_size=1, max_size=6))


@st.composite
def requests(draw):
    """A prompt, what is asked of it, and how many steps after the one before it comes."""
    temperature = draw(st.sampled_from([0.0, 0.0, 0.8, 1.5]))
    params = SamplingParams(
        max_tokens=draw(st.integers(3, 9)),
        temperature=temperature,
        top_p=draw(st.sampled_from([1.0, 0.9])),
        top_k=draw(st.sampled_from([0, 4])),
        stop=tuple(draw(st.lists(st.lists(st.integers(0, 10), min_size=1, max_size=2).map(tuple), max_size=2))),
        seed=draw(st.integers(0, 3)),
        n=draw(st.sampled_from([1, 1, 3])),
    )
    return draw(prompts()), params, draw(st.sampled_from([0, 0, 0, 2]))


@st.composite
def configs(draw):
    """Memory for little more than the longest request, and small budgets."""
    size = draw(st.sampled_from([1, 2, 3]))
    seats = draw(st.integers(3, 6))
    return EngineConfig(
        blocks=-(-LONGEST // size) + draw(st.integers(0, 2)),
        block_size=size,
        swap_blocks=draw(st.sampled_from([0, 12, 60])),
        prefix_cache=draw(st.sampled_from(["hash", "radix", "none"])),
        decode_sizes=draw(st.sampled_from([(), (), (2, 4)])),
        scheduler=SchedulerConfig(
            token_budget=seats + draw(st.integers(0, 20)),
            max_sequences=seats,
            preemption=draw(st.sampled_from(["recompute", "swap"])),
            order=draw(st.sampled_from(["fcfs", "longest-prefix", "depth-first"])),
            patience=draw(st.sampled_from([0, 5, 256])),
        ),
    )


def serve(engine, load):
    """All outputs of a load: (tokens, reason) by request and place. A request's `pause` is in steps."""
    found, reasons, line = defaultdict(list), {}, list(load)
    while line or engine.busy:
        if line and (line[0][2] == 0 or not engine.busy):
            prompt, params, _ = line.pop(0)
            engine.add_request(prompt, params)
            continue
        line = [(p, q, pause - (i == 0)) for i, (p, q, pause) in enumerate(line)]
        for output in engine.step():
            found[output.request, output.index] += output.tokens
            assert len(output.logprobs) == len(output.tokens)
            if output.finished:
                reasons[output.request, output.index] = output.finished
    return {key: (found[key], reason) for key, reason in reasons.items()}


def alone(load):
    """What each would have got without the others, without a cache and without a batch."""
    return {
        (number, choice): generate(tiny_model(), prompt, params, choice)
        for number, (prompt, params, _) in enumerate(load)
        for choice in range(params.n)
    }
