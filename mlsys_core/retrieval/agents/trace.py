"""What a run did, as data: it can be stored, read by people, compared, and run again to the letter.

Idea      A loop of a model and tools cannot be debugged from its answer. The trace keeps what was said and what was seen, step by step,
          so the text of every moment can be put together from it. Replaying it gives the recorded words to the same loop and looks
          whether the tools say what they said then: a difference is named at its step.
Equation  text_i = opening + Σ_{j < i} step_j;   replay(trace, tools) = trace, or the first step where it is not
Paper     None; to record what is not determined and to compute the rest again is how debuggers replay programs.
Cost      Bytes of the text, once: a step keeps what it added and not the text before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar, get_args

Outcome = Literal["answered", "steps", "tokens"]
VERSION = 1
T = TypeVar("T")
_STEP = {"said": str, "observation": str | None, "failed": bool, "prompt_tokens": int, "output_tokens": int}
_TRACE = {"task": str, "opening": str, "outcome": str, "answer": str | None}


@dataclass(frozen=True)
class Budget:
    """What a run may use: calls of the model, and tokens that it reads and writes in all of them."""

    steps: int = 8
    tokens: int = 10_000

    def __post_init__(self) -> None:
        if self.steps < 1 or self.tokens < 1:
            raise ValueError(f"{self.steps} steps and {self.tokens} tokens do nothing: allow at least one of each.")


@dataclass(frozen=True)
class Step:
    """What the model said, and what it saw then.

    observation    of a tool, or the sentence about what was wrong; None after an answer
    failed         whether the observation is such a sentence
    prompt_tokens, output_tokens  read and written by the model
    """

    said: str
    observation: str | None
    failed: bool
    prompt_tokens: int
    output_tokens: int

    @property
    def text(self) -> str:
        """What the step adds to the text."""
        seen = "" if self.observation is None else f"Observation: {self.observation}\n"
        return self.said.rstrip("\n") + "\n" + seen


@dataclass(frozen=True)
class Trace:
    """A run: its task and budget, the text that it began with, its steps, why it ended, and its answer if it has one."""

    task: str
    budget: Budget
    opening: str
    steps: tuple[Step, ...]
    outcome: Outcome
    answer: str | None

    @property
    def tokens(self) -> int:
        """Tokens read and written in all steps."""
        return sum(step.prompt_tokens + step.output_tokens for step in self.steps)

    def prompts(self) -> Iterator[str]:
        """The text before each step; each begins with the one before it."""
        text = self.opening
        for step in self.steps:
            yield text
            text += step.text

    def to_json(self) -> str:
        """For a file: the same trace has the same text."""
        return json.dumps({"version": VERSION} | asdict(self), ensure_ascii=False, indent=1, sort_keys=True)


def from_json(text: str) -> Trace:
    """Reads what `to_json` wrote. Raises ValueError, with what is wrong, for anything else."""
    try:
        stored = json.loads(text)
        if stored.pop("version") != VERSION:
            raise ValueError(f"This trace is of another version than {VERSION}, which is read here: record it again.")
        stored["steps"] = tuple(_checked(Step(**step), _STEP) for step in stored["steps"])
        stored["budget"] = Budget(**stored["budget"])
        trace = _checked(Trace(**stored), _TRACE)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"This is no trace: {error}.") from error
    if trace.outcome not in get_args(Outcome):
        raise ValueError(f"This is no trace: it ended by {trace.outcome!r}.")
    return trace


def first_difference(a: Trace, b: Trace) -> str | None:
    """A sentence about where two traces part; None when they are equal."""
    if a.opening != b.opening:
        return "They begin with different texts: the task or the tools are not the same."
    for number, (one, other) in enumerate(zip(a.steps, b.steps, strict=False), start=1):
        if one != other:
            return f"Step {number} differs: {_differing(one, other)}."
    if len(a.steps) != len(b.steps):
        return f"One has {len(a.steps)} steps, the other {len(b.steps)}."
    return (
        None if a == b else f"One ended by {a.outcome} with {a.answer!r}, the other by {b.outcome} with {b.answer!r}."
    )


def _differing(one: Step, other: Step) -> str:
    fields: Sequence[tuple[str, Any, Any]] = [
        (name, value, asdict(other)[name]) for name, value in asdict(one).items() if value != asdict(other)[name]
    ]
    name, value, instead = fields[0]
    return f"{name} was {value!r} and is {instead!r}"


def _checked(found: T, kinds: Mapping[str, Any]) -> T:
    """The same, when all of its fields are of their kinds; raises TypeError otherwise."""
    for name, kind in kinds.items():
        if not isinstance(getattr(found, name), kind):
            raise TypeError(f"{name} is {getattr(found, name)!r}")
    return found
