"""A writer and an executor: one writes a program, the other runs it and says what happened, until it works.

Idea      A program is the one kind of text that can be tried. The writer reads the task and what the last try printed; the executor runs
          the block of code that it finds and tells output or error. What runs is a stranger's code: the executor is given by the caller,
          who knows walls, and this library has none.
Equation  code_{i+1} = writer(task, code_0, output_0, …, code_i, output_i);   done when code_i ran without an error
Paper     Q. Wu et al., "AutoGen", arXiv 2308.08155, section 3 (A4); M. Chen et al., "Evaluating large language models trained on code",
          arXiv 2107.03374, section 2.3, for why such code runs in a sandbox.
Cost      A run a round, at most `rounds`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mlsys_core.retrieval.agents.conversation import Conversation, Message, Speaker

CODE = re.compile(r"```(?:python)?\n(.*?)```", re.DOTALL)
LONGEST = 2000  # characters of an output that the writer is told


@dataclass(frozen=True)
class Execution:
    """Whether a program ended without an error, and what it printed, or the error."""

    ok: bool
    output: str


Executor = Callable[[str], Execution]


def code_in(text: str) -> str | None:
    """The last block of code between fences; None where there is none."""
    blocks = CODE.findall(text)
    return blocks[-1] if blocks else None


def write_and_execute(task: str, writer: Speaker, execute: Executor, *, rounds: int = 4) -> Conversation:
    """Alternates between both; finished when a program ran without an error. Speakers are "user", "writer" and "executor"."""
    messages = [Message("user", task)]
    for _ in range(rounds):
        said = writer(tuple(messages))
        messages.append(Message("writer", said))
        code = code_in(said)
        done = Execution(ok=False, output="There is no block of code: write one between ``` and ```.")
        if code is not None:
            done = execute(code)
        messages.append(Message("executor", _told(done)))
        if done.ok:
            return Conversation(tuple(messages), finished=True)
    return Conversation(tuple(messages), finished=False)


def _told(done: Execution) -> str:
    """An execution in words; of a long output its end, where errors stand."""
    output = done.output.strip()
    if len(output) > LONGEST:
        output = f"(the first {len(output) - LONGEST} characters are left out)\n{output[-LONGEST:]}"
    if done.ok:
        return f"It ran and printed:\n{output}" if output else "It ran and printed nothing."
    return f"It failed:\n{output}"
