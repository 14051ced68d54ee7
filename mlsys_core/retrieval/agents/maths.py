"""Solving maths with a calculator, and with someone who looks where the answer came from.

Idea      A model that reasons well and computes badly is given a calculator. And because it may still write a number that it has not
          computed, a checker reads its trace: an answer that the calculator never said is sent back, with the reason, as a part of the
          next task.
Equation  accepted ⇔ answer ∈ {what the calculator said in this trace}
Paper     Y. Wu et al., "MathChat: converse to tackle challenging math problems with LLM agents", arXiv 2306.01337; K. Cobbe et al., arXiv
          2110.14168, for the verifier.
Cost      At most `attempts` runs of the loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from mlsys_core.retrieval.agents.calculator import calculator, evaluate
from mlsys_core.retrieval.agents.loop import run
from mlsys_core.retrieval.agents.models import Model
from mlsys_core.retrieval.agents.tools import tool
from mlsys_core.retrieval.agents.trace import Budget, Trace

CALCULATOR = tool(calculator)


@dataclass(frozen=True)
class Solution:
    """The answer that was accepted, or None; and the runs."""

    answer: str | None
    traces: tuple[Trace, ...]


def objection(trace: Trace) -> str | None:
    """Why an answer does not count, for the one who gave it; None when the calculator said that number."""
    if trace.answer is None:
        return "There was no answer within the budget: use fewer steps."
    given = _number(trace.answer)
    if given is None:
        return f"“{trace.answer}” is no number: answer with the number alone."
    computed = [_number(step.observation) for step in trace.steps if step.observation and not step.failed]
    if given not in computed:
        return f"The calculator never said {trace.answer}: compute the answer before you give it."
    return None


def solve(problem: str, solver: Model, *, attempts: int = 2, budget: Budget | None = None) -> Solution:
    """Lets a model solve a problem with the calculator until the checker has no objection, at most `attempts` times."""
    traces: list[Trace] = []
    task = problem
    for _ in range(attempts):
        trace = run(task, solver, [CALCULATOR], budget)
        traces.append(trace)
        reason = objection(trace)
        if reason is None:
            return Solution(trace.answer, tuple(traces))
        task = f"{problem}\nYour last answer was not accepted. {reason}"
    return Solution(None, tuple(traces))


def _number(text: str) -> Fraction | None:
    try:
        return evaluate(text.partition("≈")[0].strip().rstrip("."))
    except ValueError:
        return None
