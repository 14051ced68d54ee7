"""A group chat: after each message someone chooses who speaks next.

Idea      With more than two, somebody must say whose turn it is. A chooser reads the conversation and names a member. It may be a rule or
          a model; a model is held to the members' names, so it cannot call on somebody who is not there. One that can say anything is
          told once what was wrong, and then the next in line speaks, so a group never stands still.
Equation  speaker_{i+1} = chooser(messages) ∈ members;   message_{i+1} = speaker_{i+1}(messages)
Paper     Q. Wu et al., "AutoGen", arXiv 2308.08155, section 3 (A5, dynamic group chat).
Cost      Two readings of the conversation a turn: the chooser's and the speaker's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlsys_core.retrieval.agents.conversation import Conversation, Message, Speaker, written
from mlsys_core.retrieval.agents.models import Model

Chooser = Callable[[Sequence[Message]], str]
CHAIR = "chair"


def in_turn(members: Sequence[str]) -> Chooser:
    """Everyone after the one before, who is the last of the members that spoke; the first to begin with."""

    def choose(messages: Sequence[Message]) -> str:
        spoken = [message.speaker for message in messages if message.speaker in members]
        return members[(members.index(spoken[-1]) + 1) % len(members)] if spoken else members[0]

    return choose


def by_model(model: Model, limit: int = 32) -> Chooser:
    """The name that a model writes where the next speaker's stands in the play."""
    return lambda messages: model.complete(written(messages), limit).text.strip().rstrip(":").lower()


def group_chat(
    task: str,
    members: Mapping[str, Speaker],
    choose: Chooser,
    *,
    turns: int = 8,
    end: Callable[[Message], bool] = lambda _message: False,
) -> Conversation:
    """Talks until a message is the `end`, or for `turns` messages. Members' names are in lower case.

    A choice that is no member becomes a message of the "chair", and is made once more; then the next in line speaks.
    Raises ValueError for a group of nobody.
    """
    if not members:
        raise ValueError("A group of nobody cannot talk: name at least one member.")
    messages = [Message("user", task)]
    for _ in range(turns):
        name = _chosen(messages, list(members), choose)
        messages.append(Message(name, members[name](tuple(messages))))
        if end(messages[-1]):
            return Conversation(tuple(messages), finished=True)
    return Conversation(tuple(messages), finished=False)


def _chosen(messages: list[Message], members: Sequence[str], choose: Chooser) -> str:
    name = choose(tuple(messages))
    if name not in members:
        told = f"“{name}” is not here. Choose one of {', '.join(members)}."
        messages.append(Message(CHAIR, told))
        name = choose(tuple(messages))
    return name if name in members else in_turn(members)(messages)
