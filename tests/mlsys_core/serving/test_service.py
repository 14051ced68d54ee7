"""The engine's thread: who waits for it is never left waiting, and who leaves is forgotten."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from mlsys_core.serving.engine import Engine
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.service import OverloadedError, Service, StoppedError
from tests.mlsys_core.serving.one_by_one import generate, tiny_model

LONG = SamplingParams(max_tokens=30, temperature=0.0)


def serve(program, **options):
    """Runs a coroutine function with a service that runs."""
    service = Service(Engine(tiny_model()), **options)
    service.start()
    try:
        return asyncio.run(program(service))
    finally:
        service.stop()


async def read(service, prompts, params):
    """All tokens, by prompt and output."""
    found = {}
    async with contextlib.aclosing(service.stream(prompts, params)) as outputs:
        async for prompt, output in outputs:
            found[prompt, output.index] = found.get((prompt, output.index), []) + list(output.tokens)
    return found


def test_each_call_reads_its_own_outputs():
    async def program(service):
        params = SamplingParams(max_tokens=6, temperature=1.0, seed=1, n=2)
        return await asyncio.gather(read(service, [[1], [2, 3]], params), read(service, [[4]], LONG)), params

    (first, second), params = serve(program)
    assert first == {
        (i, j): generate(tiny_model(), p, params, j)[0] for i, p in enumerate([[1], [2, 3]]) for j in (0, 1)
    }
    assert second == {(0, 0): generate(tiny_model(), [4], LONG)[0]}


def test_of_prompts_that_are_sent_together_all_are_taken_or_none():
    async def program(service):
        with pytest.raises(ValueError, match="vocabulary"):
            await read(service, [[1], [99]], LONG)
        return await service.call(lambda engine: engine.busy)

    assert serve(program) is False


def test_more_than_the_service_takes_is_refused_and_room_comes_back():
    async def program(service):
        with pytest.raises(OverloadedError, match="try again"):
            await read(service, [[1], [2], [3]], LONG)
        for _ in range(3):
            await read(service, [[1], [2]], SamplingParams(max_tokens=2, temperature=0.0))

    serve(program, max_requests=2)


def test_who_stops_reading_or_never_begins_leaves_nothing_behind():
    async def program(service):
        async with contextlib.aclosing(service.stream([[1], [2]], LONG)) as outputs:
            await anext(outputs)
        waiting = asyncio.ensure_future(read(service, [[1]], LONG))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await service.call(lambda _: None)
        return await service.call(lambda engine: (engine.busy, dict(service._readers)))

    assert serve(program) == (False, {})


def test_when_the_engine_stops_its_readers_are_told():
    async def program(service):
        task = asyncio.ensure_future(read(service, [[1]], SamplingParams(max_tokens=45, temperature=0.0)))
        await service.call(lambda _: None)
        service.stop()
        with pytest.raises(StoppedError, match="again later"):
            await task
        assert not service.alive
        with pytest.raises(StoppedError, match="not running"):
            await read(service, [[1]], LONG)

    serve(program)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("broken", ["scheduler", "add_request"])
def test_when_the_engine_fails_its_readers_are_told_too(broken):
    async def program(service):
        await service.call(lambda engine: setattr(engine, broken, None))
        async with asyncio.timeout(20):
            with pytest.raises(StoppedError):
                await read(service, [[1]], SamplingParams(max_tokens=4))
        assert not service.alive

    serve(program)
