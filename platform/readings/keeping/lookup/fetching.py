"""One request to a host that we name, bounded in time and size.

The wait is bounded from outside: a name that does not resolve, or a server that sends a byte a second, holds a thread of our own for a
while, and never the person.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as SocketTimeout

from readings.keeping.lookup import LookupFailed

HOSTS = frozenset({"export.arxiv.org", "api.crossref.org"})
CHUNK_BYTES = 16 * 1024
# more people than threads wait their turn, and their time runs meanwhile
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="paper-lookup")


def fetch(url: str, *, timeout_s: float, max_bytes: int) -> bytes:
    """The body at `url`, which must be https and on a host of `HOSTS`; raises `LookupFailed`."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.netloc not in HOSTS:
        raise LookupFailed(f"{parts.netloc or url} is not a place where papers are looked up.")
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    with HTTPSConnectionPool(parts.netloc, timeout=Timeout(total=timeout_s)) as pool:
        return within(pool, path, timeout_s=timeout_s, max_bytes=max_bytes)


def within(pool: HTTPConnectionPool, path: str, *, timeout_s: float, max_bytes: int) -> bytes:
    """The body at `path`, after at most `timeout_s`; raises `LookupFailed`. Redirects are not followed."""
    waiting = _threads.submit(_read, pool, path, time.monotonic() + timeout_s, max_bytes)
    try:
        return waiting.result(timeout=timeout_s)
    except NewConnectionError as error:  # for urllib3 a time-out too, and none of ours
        raise LookupFailed(f"{pool.host} could not be reached.") from error
    except (TimeoutError, SocketTimeout) as error:  # whichever of the two clocks is first
        waiting.cancel()
        raise LookupFailed(f"{pool.host} did not answer within {timeout_s:g} seconds.") from error
    except (HTTPError, OSError) as error:
        raise LookupFailed(f"{pool.host} could not be reached.") from error


def _read(pool: HTTPConnectionPool, path: str, until: float, max_bytes: int) -> bytes:
    headers = {"User-Agent": "Gradlab", "Accept-Encoding": "identity"}
    response = pool.request("GET", path, headers=headers, redirect=False, retries=False, preload_content=False)
    try:
        if response.status in {400, 404}:
            raise LookupFailed(f"{pool.host} knows no such paper.")
        if response.status != 200:
            raise LookupFailed(f"{pool.host} refused the question (status {response.status}).")
        body = bytearray()
        while chunk := response.read1(CHUNK_BYTES):
            body += chunk
            if len(body) > max_bytes:
                raise LookupFailed(f"The answer of {pool.host} is too long for a paper's data.")
            if time.monotonic() > until:
                raise TimeoutError
        return bytes(body)
    finally:
        response.close()
