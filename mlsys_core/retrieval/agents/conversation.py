"""Several who talk: messages with their speakers, and speakers who answer what was said.

Idea      A team of models is models that read one conversation. Whoever speaks is a function from what was said to what is said next, so a
          person, a script, a served model and a program that runs code are the same to the others.
Equation  message_{i+1} = speaker(message_0 … message_i)
Paper     Q. Wu et al., "AutoGen: enabling next-gen LLM applications via multi-agent conversation", arXiv 2308.08155, section 2.
Cost      Each turn reads all turns before it: see `reuse`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlsys_core.retrieval.agents.models import Model


@dataclass(frozen=True)
class Message:
    """What one said."""

    speaker: str
    text: str


Speaker = Callable[[Sequence[Message]], str]


@dataclass(frozen=True)
class Conversation:
    """What was said, in order, and whether it came to its end, or was ended by its limit of turns."""

    messages: tuple[Message, ...]
    finished: bool

    @property
    def last(self) -> str:
        """What was said last."""
        return self.messages[-1].text


def written(messages: Sequence[Message], following: str = "") -> str:
    """A conversation as a play, as `serving.chat` writes it; with the name of the one who is to speak next, if it is given."""
    told = "".join(f"{message.speaker.upper()}:\n{message.text.strip()}\n\n" for message in messages)
    return told + (f"{following.upper()}:\n" if following else "")


def speaks(name: str, model: Model, limit: int = 256) -> Speaker:
    """A model as a speaker: it continues the play at its own name, with at most `limit` tokens."""
    return lambda messages: model.complete(written(messages, name), limit).text.strip()
