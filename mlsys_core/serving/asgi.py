"""The little of HTTP that a server of tokens needs, on ASGI: read a body, send JSON, send events, notice who has left.

Idea      ASGI gives an application three things: what was asked, a function that receives, a function that sends. A client who hangs up is
          a message to receive, so somebody has to listen for it while the answer is made.
Equation  -
Paper     "ASGI specification", version 3.0, HTTP and lifespan; I. Hickson, "Server-sent events", W3C 2015.
Cost      A task a request that listens for the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from mlsys_core.serving.openai import ApiError

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LARGEST_BODY = 1 << 20  # bytes


async def read_body(receive: Receive) -> bytes:
    """The body of a request. Raises ApiError for one above `LARGEST_BODY`."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise ApiError(413, f"The request is larger than {LARGEST_BODY} bytes: send a shorter prompt.")
    return body


async def respond(
    send: Send,
    status: int,
    body: bytes,
    content_type: str = "application/json",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """A whole answer."""
    sent = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, value: object) -> None:
    """A whole answer in JSON."""
    await respond(send, status, msgspec.json.encode(value))


class EventStream:
    """Server-sent events. The answer begins with the first event, so until then an error can still have a status of its own."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def event(self, value: object) -> None:
        """One event with a value as JSON."""
        await self._data(msgspec.json.encode(value))

    async def done(self) -> None:
        """The last event, and the end."""
        await self._data(b"[DONE]")
        await self._send({"type": "http.response.body", "body": b""})

    async def _data(self, data: bytes) -> None:
        if not self.begun:
            self.begun = True
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Does work, and cancels it when the client hangs up; raises what it raises."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(receive))
    await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    for other in (gone, task):
        other.cancel()
    await asyncio.gather(gone, task, return_exceptions=True)
    if not task.cancelled():
        task.result()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
