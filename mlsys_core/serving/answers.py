"""What is answered while tokens come: chunks of a stream, or one answer at its end, for completions and for chats.

Idea      A stream and an answer say the same: an answer is what the chunks add up to. So the outputs of a step become choices first, and
          only then the one or the other.
Equation  text of a choice = Σ text of its chunks
Paper     OpenAI, "API reference"; I. Hickson, "Server-sent events", W3C 2015, for the lines of a stream.
Cost      One small JSON text a step and output.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlsys_core.serving.openai import usage

Decode = Callable[[Sequence[int]], str]


@dataclass
class Piece:
    """A part of a choice: which one, its tokens with their log-probabilities, and why it ended, if it did."""

    index: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finished: str | None = None


@dataclass
class Answer:
    """One request's answer in the making. `decode` makes text of tokens; with `logprobs` their log-probabilities are said too."""

    model: str
    chat: bool
    logprobs: bool
    prompt_tokens: int
    decode: Decode
    choices: dict[int, Piece] = field(default_factory=dict)
    created: int = field(default_factory=lambda: int(time.time()))
    id: str = field(default_factory=lambda: secrets.token_hex(12))

    def add(self, piece: Piece) -> dict[str, Any]:
        """Takes a piece, and gives it as a chunk of a stream."""
        begun = piece.index in self.choices
        whole = self.choices.setdefault(piece.index, Piece(piece.index))
        chunk = self._choice(piece, len(self.decode(whole.tokens)), first=not begun)
        whole.tokens += piece.tokens
        whole.logprobs += piece.logprobs
        whole.finished = piece.finished
        return self._envelope([chunk], streamed=True)

    def whole(self) -> dict[str, Any]:
        """All of it, when it is complete."""
        choices = [self._choice(self.choices[i], 0, first=None) for i in sorted(self.choices)]
        return self._envelope(choices, streamed=False) | {"usage": self.usage()}

    def last_chunk(self) -> dict[str, Any]:
        """The chunk without a choice that counts the tokens."""
        return self._envelope([], streamed=True) | {"usage": self.usage()}

    def usage(self) -> dict[str, int]:
        """Tokens of the prompts and of all choices."""
        return usage(self.prompt_tokens, sum(len(piece.tokens) for piece in self.choices.values()))

    def _envelope(self, choices: list[dict[str, Any]], *, streamed: bool) -> dict[str, Any]:
        kind = ("chat.completion.chunk" if streamed else "chat.completion") if self.chat else "text_completion"
        return {
            "id": f"{'chatcmpl' if self.chat else 'cmpl'}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }

    def _choice(self, piece: Piece, offset: int, *, first: bool | None) -> dict[str, Any]:
        """`first` says whether a chunk is a choice's first; None for a whole choice."""
        text = self.decode(piece.tokens)
        said: dict[str, Any] = {"index": piece.index, "finish_reason": piece.finished, "logprobs": None}
        if self.logprobs:
            said["logprobs"] = self._chat_logprobs(piece) if self.chat else self._logprobs(piece, offset)
        if not self.chat:
            return said | {"text": text}
        if first is None:
            return said | {"message": {"role": "assistant", "content": text}}
        return said | {"delta": ({"role": "assistant"} if first else {}) | ({"content": text} if text or first else {})}

    def _logprobs(self, piece: Piece, offset: int) -> dict[str, Any]:
        texts = [self.decode([token]) for token in piece.tokens]
        offsets = [offset + sum(map(len, texts[:i])) for i in range(len(texts))]
        return {"tokens": texts, "token_logprobs": piece.logprobs, "top_logprobs": None, "text_offset": offsets}

    def _chat_logprobs(self, piece: Piece) -> dict[str, Any]:
        texts = [self.decode([token]) for token in piece.tokens]
        parts = [
            {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}
            for text, logprob in zip(texts, piece.logprobs, strict=True)
        ]
        return {"content": parts}
