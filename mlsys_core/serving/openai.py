"""The shapes of OpenAI's API that this server speaks: what comes in, what goes out, and what an error looks like.

Idea      Many programs speak this dialect, so a server that speaks it can be tried with all of them. What a request may say is declared as
          types and checked while the JSON is read. What the server cannot do is refused and not ignored.
Equation  -
Paper     OpenAI, "API reference": completions, chat completions, models.
Cost      One pass over the body.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from mlsys_core.serving.sampling import SamplingParams


class ApiError(Exception):
    """An answer that is no success: HTTP status, a sentence, and which field it is about."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """As the API has it."""
        kinds = {429: "rate_limit_error", 500: "server_error", 503: "server_error"}
        kind = kinds.get(self.status, "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a stream ends with a count of its tokens."""

    include_usage: bool = False


class Common(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What both kinds of completions may ask. The last six are known, and refused unless they ask for nothing."""

    model: str | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    n: int = 1
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[str, float] | None = None
    best_of: int | None = None
    echo: bool = False
    suffix: str | None = None

    def refuse_what_is_not_done(self) -> None:
        """Raises ApiError for a field that would change the answer in a way that this server does not know."""
        asked = {
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "logit_bias": self.logit_bias,
            "best_of": self.best_of not in {None, self.n},
            "echo": self.echo,
            "suffix": self.suffix,
        }
        for name, value in asked.items():
            if value:
                raise ApiError(400, f"This server does not do {name}: leave it out.", param=name)

    def sampling(self, max_tokens: int, stops: Iterable[tuple[int, ...]]) -> SamplingParams:
        """What the engine is asked. Raises ApiError with the reason for what makes no sense."""
        try:
            return SamplingParams(
                max_tokens, self.temperature, self.top_p, self.top_k, stop=tuple(stops), seed=self.seed, n=self.n
            )
        except ValueError as error:
            raise ApiError(400, str(error)) from error

    def stops(self) -> list[str]:
        """The stop strings, however they were given."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class Completion(Common, kw_only=True):
    """POST /v1/completions: a text, several, tokens, or several lists of tokens."""

    prompt: str | list[str | int | list[int]]
    max_tokens: int = 16
    logprobs: int | None = None

    def prompts(self) -> list[str | list[int]]:
        """Each prompt by itself."""
        given = self.prompt
        if isinstance(given, str):
            return [given]
        if given and all(isinstance(one, int) for one in given):
            return [[one for one in given if isinstance(one, int)]]
        several = [one for one in given if not isinstance(one, int)]
        if not given or len(several) < len(given):
            raise ApiError(
                400, "The prompt is to be a text, a list of texts, tokens, or lists of tokens.", param="prompt"
            )
        return several


class Message(msgspec.Struct):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Chat(Common, kw_only=True):
    """POST /v1/chat/completions. Without a limit an answer may fill the model's context."""

    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool = False
    top_logprobs: int | None = None


Body = Completion | Chat


def read(body: bytes, kind: type[Completion] | type[Chat]) -> Completion | Chat:
    """A request from JSON. Raises ApiError with the field that is wrong."""
    try:
        request = msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ApiError(400, f"The request could not be read: {error}.") from error
    request.refuse_what_is_not_done()
    return request


def usage(prompt: int, completion: int) -> dict[str, int]:
    """Tokens that a request took."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def model_card(name: str, created: int) -> dict[str, Any]:
    """A model, as /v1/models lists it."""
    return {"id": name, "object": "model", "created": created, "owned_by": "mlsys_core"}
