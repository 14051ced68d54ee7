"""The process inside a sandbox: reads requests, runs the student's program, answers with raw values. It decides nothing.

Requests, each with an "id": {"op": "load", "driver": source, "cells": [[label, source, given], …], "watched": [operation, …]}, with
"library": {module: source} where the driver imports some, and {"op": "call", "function": name, "arguments": {…}}; before either,
{"op": "version"}. Answers, with the request's "id": {"ok": true, "value": …} or {"ok": false, "type", "message", "where", "errno"},
each with "witness": {operation: line} of watched ones.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from typing import Any

from . import init, wire
from .cells import Cell
from .program import Program, fault_of
from .version import version
from .walls import enter, take_channel


def main() -> None:
    """Import the packages of argv[2:], build the walls that argv[1] describes, then serve until the judge closes the pipe."""
    walls = json.loads(sys.argv[1])
    for package in sys.argv[2:]:
        importlib.import_module(package)

    def run() -> None:
        request, response = take_channel()
        enter(walls)
        serve(request, response)
        os._exit(0)  # nothing that the student registered for exit runs

    if os.getpid() != 1:
        run()
    os._exit(init.exit_code(init.start(run, not_mine=(0, 1, 2)) or 0))


def serve(request: int, response: int) -> None:
    """Answer each request in turn, a mark behind its prints. A child of the student's code that returns here answers nothing."""
    program, me = Program(), os.getpid()
    while True:
        prefix = _read(request, wire.PREFIX.size)
        if prefix is None:
            return
        head, body = wire.prefix_lengths(prefix)
        message = wire.unpack(_read(request, head) or b"", _read(request, body) or b"")
        answer = _packed(_answer(program, message), message.get("id"))
        if os.getpid() != me:
            os._exit(0)
        _mark(message.get("id"))
        _write(response, answer)


def _answer(program: Program, message: dict[str, Any]) -> dict[str, Any]:
    try:
        if message["op"] == "version":
            value: Any = version()
        elif message["op"] == "load":
            program.load_library(message.get("library", {}))
            program.load_driver(message["driver"])
            cells = [Cell(label, source, given) for label, source, given in message["cells"]]
            value = program.load(cells, message["watched"])
        else:
            value = program.call(message["function"], message["arguments"])
    except BaseException as error:  # noqa: BLE001 - whatever the student's code raises is an answer
        return _fault(error) | {"witness": program.witness.take()}
    finally:
        _flush()
    return {"ok": True, "value": value, "witness": program.witness.take()}


def _packed(answer: dict[str, Any], request_id: object) -> bytes:
    try:
        return wire.pack(answer | {"id": request_id})
    except BaseException as error:  # noqa: BLE001 - a student's object may raise while it is looked at
        return wire.pack(_fault(error) | {"id": request_id})


def _fault(error: BaseException) -> dict[str, Any]:
    fault = fault_of(error)
    kind = "Result" if isinstance(error, wire.WireError) else fault.type
    number = error.errno if isinstance(error, OSError) and type(error.errno) is int else 0
    return {"ok": False, "type": kind, "message": fault.message, "where": fault.where, "errno": number}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S112 - a student may have replaced or closed the stream
            continue


def _mark(request_id: object) -> None:
    with suppress(OSError):  # nobody reads the stream of prints any more, or a student's code closed it
        _write(2, wire.end_of_prints(request_id))


def _read(descriptor: int, size: int) -> bytes | None:
    """Exactly `size` bytes, or None at the end of the pipe."""
    chunks, left = [], size
    while left:
        chunk = os.read(descriptor, min(left, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
