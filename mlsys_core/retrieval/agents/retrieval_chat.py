"""Retrieval-augmented chat: an assistant that must look up what it says, and whose answer is held against what it found.

Idea      The assistant has one tool, the search of `rag`, which quotes documents with their places or refuses. It may ask again in other
          words when a search finds nothing. Its answer counts only if it names a place that a search of this very run gave it, or if it
          says that the documents have no answer, after a search that said so.
Equation  grounded ⇔ ∅ ≠ places(answer) ⊆ places(observations), or the answer says that there is none and the last search refused
Paper     P. Lewis et al., NeurIPS 2020 (retrieval-augmented generation); Q. Wu et al., "AutoGen", arXiv 2308.08155, section 3 (A2), in
          which the assistant asks for other documents when those that it has do not answer.
Cost      A search an action, and the loop's tokens.
"""

from __future__ import annotations

import re

from mlsys_core.retrieval.agents.loop import run
from mlsys_core.retrieval.agents.models import Model
from mlsys_core.retrieval.agents.tools import Tool, tool
from mlsys_core.retrieval.agents.trace import Budget, Trace
from mlsys_core.retrieval.rag.answer import Answerer

PLACE = re.compile(r"[\w./-]+\.(?:md|py):\d+-\d+")
NOTHING = "The documents do not answer this"


def search_tool(answerer: Answerer) -> Tool:
    """The documents as a tool."""

    def search(question: str) -> str:
        """Quotes the documents of the course on a question, each sentence with its place."""
        return str(answerer.answer(question)).replace("\n", " ")

    return tool(search)


def ask(question: str, assistant: Model, answerer: Answerer, budget: Budget | None = None) -> Trace:
    """Lets an assistant answer a question with the search."""
    return run(question, assistant, [search_tool(answerer)], budget)


def places(text: str) -> list[str]:
    """The places that a text names, as file:first-last, in their order."""
    return PLACE.findall(text)


def grounded(trace: Trace) -> bool:
    """Whether an answer stands on what was found in this run."""
    if trace.answer is None:
        return False
    seen = [step.observation for step in trace.steps if step.observation is not None and not step.failed]
    named, found = set(places(trace.answer)), {place for text in seen for place in places(text)}
    if trace.answer.startswith(NOTHING):
        return not named and bool(seen) and seen[-1].startswith(NOTHING)
    return bool(named) and named <= found
