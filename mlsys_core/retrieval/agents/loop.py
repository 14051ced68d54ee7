"""Think, act, look: a model and its tools take turns on one growing text, until there is an answer or the budget is spent.

Idea      The text begins with the tools and the task. The model adds a thought and an action; the tool's result is added as an
          observation; and so on. The text only ever grows at its end, so a server has computed all of it but the last lines. Whatever
          goes wrong in a call is an observation too: the model reads it and may do better. A budget of steps and tokens ends what would
          not end by itself.
Equation  text_0 = tools + task;   text_{i+1} = text_i + said_i + observation_i;   Σ (|text_i| + |said_i|) ≤ tokens, i < steps
Paper     S. Yao et al., "ReAct: synergizing reasoning and acting in language models", ICLR 2023, section 2.
Cost      O(steps²) tokens read for texts that grow evenly, of which a prefix cache leaves O(steps) to compute: `reuse`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlsys_core.retrieval.agents.models import Completion, Model
from mlsys_core.retrieval.agents.tools import Tool, ToolError
from mlsys_core.retrieval.agents.trace import Budget, Step, Trace

ACTION = re.compile(r"^Action: *(\w+) *(.*)$", re.MULTILINE)
ANSWER = re.compile(r"^Answer: *(.+)", re.MULTILINE | re.DOTALL)
FORM = 'Write “Action: tool {"argument": value}” on one line, or “Answer: ” and the answer.'


@dataclass(frozen=True)
class Call:
    """A tool with its arguments as the model wrote them."""

    tool: str
    arguments: Any


Act = Callable[[Call, Mapping[str, Tool]], str]


def opening(task: str, tools: Sequence[Tool]) -> str:
    """The text that a run begins with."""
    listed = "".join(f"- {tool.signature}\n" for tool in tools)
    return f"Tools:\n{listed}{FORM}\nTask: {task.strip()}\n"


def parse(said: str) -> Call | str:
    """The action that a text asks for, or its answer, whichever comes first. Raises `ToolError` for a text with neither."""
    action, answer = ACTION.search(said), ANSWER.search(said)
    if answer and (action is None or answer.start() < action.start()):
        return answer[1].strip()
    if action is None:
        raise ToolError(f"This holds no action and no answer. {FORM}")
    try:
        return Call(action[1], json.loads(action[2] or "{}"))
    except json.JSONDecodeError as error:
        raise ToolError(f"The arguments of {action[1]} are no JSON ({error}). {FORM}") from error


def act(call: Call, tools: Mapping[str, Tool]) -> str:
    """What the tool says. Raises `ToolError` for a tool that there is not, and for what the tool refuses."""
    if call.tool not in tools:
        known = ", ".join(sorted(tools)) or "none"
        raise ToolError(f"There is no tool “{call.tool}”: the tools are {known}.")
    return tools[call.tool].call(call.arguments)


def run(task: str, model: Model, tools: Sequence[Tool], budget: Budget | None = None, *, act: Act = act) -> Trace:
    """Works on a task. The trace says every step, and why it ended: "answered", "steps" or "tokens"."""
    budget, named = budget or Budget(), {tool.name: tool for tool in tools}
    start = text = opening(task, tools)
    steps: list[Step] = []
    left = budget.tokens
    while len(steps) < budget.steps:
        room = left - model.count(text)
        if room < 1:
            return Trace(task, budget, start, tuple(steps), "tokens", None)
        completion = model.complete(text, room)
        left -= completion.prompt_tokens + completion.output_tokens
        step, answer = _step(completion, named, act)
        steps.append(step)
        if answer is not None:
            return Trace(task, budget, start, tuple(steps), "answered", answer)
        text += step.text
    return Trace(task, budget, start, tuple(steps), "steps", None)


def _step(completion: Completion, tools: Mapping[str, Tool], act: Act) -> tuple[Step, str | None]:
    """What a text leads to: a step, and the answer if it is one."""
    said = completion.text

    def seen(observation: str | None, *, failed: bool = False) -> Step:
        return Step(said, observation, failed, completion.prompt_tokens, completion.output_tokens)

    try:
        asked = parse(said)
        if isinstance(asked, str):
            return seen(None), asked
        return seen(act(asked, tools)), None
    except ToolError as error:
        return seen(str(error), failed=True), None
