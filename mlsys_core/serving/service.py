"""An engine that many coroutines share: one thread steps it, and each request reads its own stream.

Idea      Steps block, and a web server must not. So the engine has a thread of its own, which is the only one that touches it: whatever is
          to be done to it between two steps, to add, to abort or to look, is put in a line and done there. What a step adds to an
          output goes to the queue of the request that asked. Who stops reading has his request aborted.
Equation  loop: do what is in line;  step;  hand out
Paper     W. Kwon et al., "PagedAttention", SOSP 2023, section 5 (the frontend).
Cost      A wake-up of the event loop a step and request.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from mlsys_core.serving.engine import Engine, Output
from mlsys_core.serving.sampling import SamplingParams

Result = TypeVar("Result")


class OverloadedError(Exception):
    """More requests than the service takes at once."""


class StoppedError(Exception):
    """The engine has stopped; what was running has no end."""


@dataclass(frozen=True)
class _Reader:
    """Where the outputs of one request go: which of a call's prompts it is, and the call's queue."""

    prompt: int
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[tuple[int, Output] | None]

    def put(self, item: tuple[int, Output] | None) -> None:
        self.loop.call_soon_threadsafe(self.queue.put_nowait, item)


class Service:
    """Runs an engine in a thread between `start` and `stop`. At most `max_requests` prompts are in it at a time."""

    def __init__(self, engine: Engine, *, max_requests: int = 1024) -> None:
        self.engine, self.max_requests = engine, max_requests
        self._readers: dict[int, _Reader] = {}
        self._line: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Condition()
        self._running = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether requests are taken and served."""
        return self._running and self._thread.is_alive()

    def start(self) -> None:
        """Begins to step. Once only."""
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        """Ends after the step that is running; requests that are not done get `StoppedError`."""
        with self._wake:
            self._running = False
            self._wake.notify()
        self._thread.join()

    async def call(self, act: Callable[[Engine], Result]) -> Result:
        """Does something with the engine between two steps. Raises what it raises, and `StoppedError` when nobody is there to do it."""
        return await asyncio.wrap_future(self._put(lambda: act(self.engine)))

    async def stream(
        self, prompts: Sequence[Sequence[int]], params: SamplingParams
    ) -> AsyncGenerator[tuple[int, Output], None]:
        """What each step adds, with the number of the prompt, until all outputs of all prompts have ended.

        Closing it early aborts what has not ended. Raises ValueError for what cannot be served, `OverloadedError`, `StoppedError`.
        """
        queue: asyncio.Queue[tuple[int, Output] | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        added = self._put(lambda: self._add(prompts, params, loop, queue))
        try:
            numbers = await asyncio.wrap_future(added)
            left = len(numbers) * params.n
            while left:
                item = await queue.get()
                if item is None:
                    raise StoppedError("The engine has stopped before this request was done: send it again later.")
                yield item
                left -= item[1].finished is not None
        finally:
            # Who leaves while his request is being added leaves one behind that is dropped as soon as it is there.
            added.add_done_callback(self._drop)

    def _put(self, act: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        with self._wake:
            if not self.alive:
                raise StoppedError("The engine is not running: start the service again.")
            self._line.append((act, future))
            self._wake.notify()
        return future

    def _run(self) -> None:
        try:
            while self._wait():
                self._do_what_is_in_line()
                self._hand_out(self.engine.step())
        finally:
            # Also when a step has raised, which the thread's hook reports: nobody is to wait for ever.
            self._leave()

    def _wait(self) -> bool:
        with self._wake:
            self._wake.wait_for(lambda: self._line or self.engine.busy or not self._running)
            return self._running

    def _do_what_is_in_line(self) -> None:
        while self._line:
            act, future = self._line.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(act())
            except (ValueError, OverloadedError) as error:
                future.set_exception(error)
            finally:
                if not future.done():  # anything else ends the thread, and who waits must know
                    future.set_exception(StoppedError("The engine has failed: see its log."))

    def _leave(self) -> None:
        with self._wake:
            self._running = False
            for reader in self._readers.values():
                reader.put(None)
            while self._line:
                _, future = self._line.popleft()
                if future.set_running_or_notify_cancel():
                    future.set_exception(StoppedError("The engine has stopped: send the request again later."))

    def _add(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        loop: asyncio.AbstractEventLoop,
        queue: asyncio.Queue[tuple[int, Output] | None],
    ) -> list[int]:
        """All prompts of a call, or none."""
        if len(self._readers) + len(prompts) > self.max_requests:
            raise OverloadedError(
                f"The server has {len(self._readers)} requests to serve already: try again in a while."
            )
        numbers: list[int] = []
        try:
            # extend takes them one by one: those before one that is refused are in `numbers`
            numbers.extend(self.engine.add_request(prompt, params) for prompt in prompts)
        except ValueError:
            for number in numbers:
                self.engine.abort(number)
            raise
        self._readers |= {number: _Reader(i, loop, queue) for i, number in enumerate(numbers)}
        return numbers

    def _hand_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            reader = self._readers[output.request]
            reader.put((reader.prompt, output))
        for number in {output.request for output in outputs}:
            if not self.engine.knows(number):
                del self._readers[number]

    def _drop(self, added: Future[list[int]]) -> None:
        """Aborts what is left of a call that nobody reads any more."""
        if added.cancelled() or added.exception():
            return

        def abort() -> None:
            for number in added.result():
                if self.engine.abort(number):
                    del self._readers[number]

        with self._wake:
            self._line.append((abort, Future()))
            self._wake.notify()
