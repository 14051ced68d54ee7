"""A conversation as one text, for a model that only continues texts.

Idea      Each message is written as plays are: the speaker's name, what he says, an empty line. The text ends with the assistant's name,
          and an empty line ends what the model says there.
Equation  text = Σ "ROLE:\\n content \\n\\n" + "ASSISTANT:\\n"
Paper     L. Ouyang et al., "Training language models to follow instructions", NeurIPS 2022, has models that were taught a template; the
          small model of this library was not, and speaks as its plays do.
Cost      The tokens of all turns, again in each turn: what a prefix cache is for.
"""

from __future__ import annotations

from collections.abc import Iterable

END = "\n\n"


def render(messages: Iterable[tuple[str, str]]) -> str:
    """The text that a model continues, for messages (role, content)."""
    return "".join(f"{role.upper()}:\n{content.strip()}{END}" for role, content in messages) + "ASSISTANT:\n"
