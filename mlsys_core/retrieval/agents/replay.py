"""A recorded run, run again: the words come from the record, the tools work anew.

Idea      The model is what chance or another version may change, so its words are taken from the trace, and everything else is done again.
          If the tools are deterministic, the new trace is the old one; if not, the first step that differs is named. Tools that cannot be
          asked again (a search of last year, a program that is gone) can be replaced by what they said.
Equation  replay(trace, tools) = run(recorded model of trace, tools);   exact where it equals trace
Paper     None.
Cost      The tools' own, and no token of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlsys_core.retrieval.agents.loop import Call, act, run
from mlsys_core.retrieval.agents.models import Completion
from mlsys_core.retrieval.agents.tools import Tool, ToolError
from mlsys_core.retrieval.agents.trace import Trace, first_difference


class ReplayError(Exception):
    """A replay went another way than its record; the text names the step."""


class Recorded:
    """The model of a trace: says what was said, in order, and knows what each step's tool said."""

    def __init__(self, trace: Trace) -> None:
        self._trace, self._next = trace, 0

    def count(self, _text: str) -> int:
        """What was counted then. Behind the last step, too much where the run ended for want of tokens, and nothing elsewhere."""
        if self._next < len(self._trace.steps):
            return self._trace.steps[self._next].prompt_tokens
        return self._trace.budget.tokens + 1 if self._trace.outcome == "tokens" else 0

    def complete(self, _prompt: str, _limit: int) -> Completion:
        """The next text of the record. Raises `ReplayError` behind its end."""
        if self._next == len(self._trace.steps):
            raise ReplayError(f"The record ends after {self._next} steps, and the run asks for another one.")
        step = self._trace.steps[self._next]
        self._next += 1
        return Completion(step.said, step.prompt_tokens, step.output_tokens)

    def act(self, _call: Call, _tools: Mapping[str, Tool]) -> str:
        """What the tool said at this step."""
        step = self._trace.steps[self._next - 1]
        if step.failed or step.observation is None:
            raise ToolError(step.observation or "Nothing was recorded.")
        return step.observation


def replay(trace: Trace, tools: Sequence[Tool], *, recorded_tools: bool = False) -> Trace:
    """Runs a trace again and returns the new one, which is equal to it. Raises `ReplayError` where they part.

    tools           as the run had them
    recorded_tools  whether they are only described, and what they said is taken from the record
    """
    model = Recorded(trace)
    again = run(trace.task, model, tools, trace.budget, act=model.act if recorded_tools else act)
    difference = first_difference(trace, again)
    if difference:
        raise ReplayError(f"The replay is not what was recorded. {difference}")
    return again
