"""Server-sent events of one job: a snapshot first, then each change, then `done`.

A stream follows Redis. It also asks the database every 15 s, so that a lost message or a Redis that is away only delays
the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from asgiref.sync import sync_to_async

from config import connections, redis
from grading.models import GradingJob
from grading.pages import render_progress
from grading.progress import ProgressSnapshot, channel, decode, snapshot

HEARTBEAT_S = 15.0
POLL_S = 3.0


async def events(
    first: ProgressSnapshot, *, result_url: str, for_student: bool, heartbeat_s: float = HEARTBEAT_S
) -> AsyncIterator[bytes]:
    """The stream of one viewer, who may see the job. Ends after the job has."""
    sent = first
    yield _event("progress", render_progress(first, result_url))
    if not first.finished:
        async with aclosing(_changes(first.job_id, heartbeat_s)) as changes:
            async for change in changes:
                if change is None:
                    yield b": still here\n\n"
                    continue
                found = change.for_student() if for_student else change
                if found == sent or found.version < sent.version:
                    continue
                sent = found
                yield _event("progress", render_progress(found, result_url))
                if found.finished:
                    break
    yield _event("done", "")


async def _changes(job_id: int, heartbeat_s: float) -> AsyncGenerator[ProgressSnapshot | None]:
    """Snapshots as they come, None for each quiet spell; raises nothing when Redis is away."""
    client = redis.async_client()
    if client is not None:
        try:
            async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(channel(job_id))
                yield await _stored(job_id)  # what happened before the subscription stood
                while True:
                    message = await subscription.get_message(timeout=heartbeat_s)
                    yield decode(message["data"]) if message else None
                    if message is None:
                        yield await _stored(job_id)
        except redis.Unavailable:
            pass  # the database goes on telling
    while True:
        await asyncio.sleep(POLL_S)
        yield await _stored(job_id)


@sync_to_async
def _stored(job_id: int) -> ProgressSnapshot:
    """From the database, whose connection is given back at once: hundreds of streams may be open."""
    try:
        return snapshot(GradingJob.objects.select_related("stored_report").get(pk=job_id))
    finally:
        connections.give_back()


def _event(name: str, html: str) -> bytes:
    data = "".join(f"data: {line}\n" for line in html.strip().splitlines() or [""])
    return f"event: {name}\n{data}\n".encode()
