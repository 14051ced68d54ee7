"""The server: OpenAI's endpoints in front of an engine.

Idea      A request becomes prompts and parameters, goes to the engine, and what comes back step by step is sent as it comes or gathered.
          All requests that are open at a time are in one batch, which is why they are served together and not in turn.
Equation  -
Paper     OpenAI, "API reference"; W. Kwon et al., "PagedAttention", SOSP 2023, section 5.
Cost      See `engine`; the rest is JSON.

    uvicorn.run(App(Service(Engine(model)), vocabulary, "small"))      # or: python -m mlsys_core.serving --port 8000
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import Any, Protocol

import numpy as np

from mlsys_core.serving import chat, openai
from mlsys_core.serving.answers import Answer, Piece
from mlsys_core.serving.asgi import EventStream, Receive, Scope, Send, read_body, respond, respond_json, while_connected
from mlsys_core.serving.exposition import CONTENT_TYPE, exposition
from mlsys_core.serving.openai import ApiError, Chat, Completion
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.service import OverloadedError, Service, StoppedError


class Tokenizer(Protocol):
    """Text to tokens and back; the text of tokens is the texts of each, joined, as it is for characters."""

    def encode(self, text: str) -> Any:
        """Integers. Raises ValueError for what has none."""

    def decode(self, codes: Any) -> str:
        """The text of integers."""


class App:
    """An ASGI application for one model. It starts and stops the service with its own life."""

    def __init__(self, service: Service, tokenizer: Tokenizer, model: str) -> None:
        self.service, self.tokenizer, self.model = service, tokenizer, model
        self.created = int(time.time())
        self.routes = {
            ("GET", "/health"): self._health,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/v1/models"): self._models,
            ("GET", f"/v1/models/{model}"): self._models,
            ("POST", "/v1/completions"): self._completions,
            ("POST", "/v1/chat/completions"): self._chat,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request, or the life of the application."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.service.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                self.service.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Finds who answers, and turns what goes wrong into an error of the API."""
        try:
            await self._route(scope)(scope, receive, send)
        except ApiError as error:
            await respond_json(send, error.status, error.body())
        except OverloadedError as error:
            await respond_json(send, 429, ApiError(429, str(error), code="overloaded").body())
        except StoppedError as error:
            await respond_json(send, 503, ApiError(503, str(error), code="stopped").body())

    def _route(self, scope: Scope) -> Any:
        method, path = scope["method"], scope["path"]
        found = self.routes.get((method, path))
        if found is None and any(path == known for _, known in self.routes):
            raise ApiError(405, f"{path} does not take {method}: see the API reference for the method to use.")
        if found is None:
            raise ApiError(404, f"There is no {path} here. POST to /v1/completions or /v1/chat/completions.")
        return found

    async def _health(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        alive = self.service.alive
        await respond_json(send, 200 if alive else 503, {"status": "ok" if alive else "stopped"})

    async def _metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        text = await self.service.call(lambda engine: exposition(engine.metrics()))
        await respond(send, 200, text, CONTENT_TYPE)

    async def _models(self, scope: Scope, _receive: Receive, send: Send) -> None:
        card = openai.model_card(self.model, self.created)
        whole = scope["path"] == "/v1/models"
        await respond_json(send, 200, {"object": "list", "data": [card]} if whole else card)

    async def _completions(self, _scope: Scope, receive: Receive, send: Send) -> None:
        request = openai.read(await read_body(receive), Completion)
        assert isinstance(request, Completion)
        self._check(request)
        if request.logprobs not in {None, 0}:
            raise ApiError(400, "Only the chosen tokens' log-probabilities are known: ask for 0.", param="logprobs")
        prompts = [self._tokens(p, "prompt") if isinstance(p, str) else p for p in request.prompts()]
        params = request.sampling(request.max_tokens, self._stops(request))
        answer = self._begin(prompts, is_chat=False, logprobs=request.logprobs is not None)
        await while_connected(receive, self._send(send, request, answer, prompts, params))

    async def _chat(self, _scope: Scope, receive: Receive, send: Send) -> None:
        request = openai.read(await read_body(receive), Chat)
        assert isinstance(request, Chat)
        self._check(request)
        if request.top_logprobs:
            raise ApiError(400, "Only the chosen tokens' log-probabilities are known: ask for 0.", param="top_logprobs")
        if not request.messages:
            raise ApiError(400, "A conversation without a message has nothing to answer: send one.", param="messages")
        prompt = self._tokens(chat.render((m.role, m.content) for m in request.messages), "messages")
        stops = [*self._stops(request), tuple(self._tokens(chat.END, "stop"))]
        params = request.sampling(self._limit(request, prompt), stops)
        answer = self._begin([prompt], is_chat=True, logprobs=request.logprobs)
        await while_connected(receive, self._send(send, request, answer, [prompt], params))

    def _check(self, request: openai.Common) -> None:
        if request.model not in {None, self.model}:
            message = f"There is no model {request.model} here: ask for {self.model}."
            raise ApiError(404, message, param="model", code="model_not_found")

    def _tokens(self, text: str, param: str) -> list[int]:
        try:
            return [int(token) for token in self.tokenizer.encode(text)]
        except ValueError as error:
            raise ApiError(400, str(error), param=param) from error

    def _stops(self, request: openai.Common) -> list[tuple[int, ...]]:
        """Stop strings as tokens. One with a character that the model does not have never comes, and is left out."""
        stops = []
        for text in request.stops():
            try:
                stops.append(tuple(int(token) for token in self.tokenizer.encode(text)))
            except ValueError:
                continue
        return stops

    def _limit(self, request: Chat, prompt: list[int]) -> int:
        asked = request.max_completion_tokens or request.max_tokens
        room = self.service.engine.runner.model.config.context - len(prompt)
        if room < 1:
            message = f"The conversation has {len(prompt)} tokens, which leaves no room for an answer: shorten it."
            raise ApiError(400, message, param="messages", code="context_length_exceeded")
        return room if asked is None else asked

    def _begin(self, prompts: list[list[int]], *, is_chat: bool, logprobs: bool) -> Answer:
        count = sum(map(len, prompts))
        return Answer(
            self.model, is_chat, logprobs, count, lambda tokens: self.tokenizer.decode(np.asarray(tokens, int))
        )

    async def _send(
        self, send: Send, request: openai.Common, answer: Answer, prompts: list[list[int]], params: SamplingParams
    ) -> None:
        """Streams or gathers the outputs of all prompts; output j of prompt i is choice i · n + j."""
        events = EventStream(send)
        try:
            async with aclosing(self.service.stream(prompts, params)) as outputs:
                async for i, out in outputs:
                    piece = Piece(i * params.n + out.index, list(out.tokens), list(out.logprobs), out.finished)
                    chunk = answer.add(piece)
                    if request.stream and (piece.tokens or piece.finished):
                        await events.event(chunk)
        except ValueError as error:
            raise ApiError(400, str(error)) from error
        except StoppedError as error:
            if not events.begun:
                raise
            # The status has been sent: the stream says what happened, and ends without [DONE].
            await events.event(ApiError(503, str(error), code="stopped").body())
            return
        if not request.stream:
            await respond_json(send, 200, answer.whole())
            return
        if request.stream_options and request.stream_options.include_usage:
            await events.event(answer.last_chunk())
        await events.done()
