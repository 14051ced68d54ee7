"""A filter in front of the container engine's socket: `python -m deploy.engine.proxy`. Standard library only.

It is the one process that holds the socket. Workers reach it over a network that nothing else is on. Of a request it keeps the method, a
path that it knows and, to create a container, the fields that it checked; query strings are its own. It works on no container but
those that it made, and removes each when the stream that is attached to it ends: what a killed worker left does not stay.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO

from deploy.engine.engine import QUERIES, Engine
from deploy.engine.rules import Call, Policy, Refused, check_container, find_call

MAX_BODY = 256 * 1024
CHUNK = 64 * 1024
ATTACH = "POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


class Handler(BaseHTTPRequestHandler):
    """Answers one worker's connection: asks the engine, or refuses with 403 and a sentence."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a worker and a run talk in small pieces, by turns
    server_version, sys_version = "gradlab-engine", ""
    server: Server

    @property
    def engine(self) -> Engine:
        """What the server filters for."""
        return self.server.engine

    def _answer(self) -> None:
        """Any request."""
        try:
            body = self._body()
            call = find_call(self.command, self.path.partition("?")[0], self.engine.policy)
            if call.container:
                self.engine.require_ours(call.container)
            self._do(call, body)
        except Refused as reason:
            say("refused", method=self.command, path=self.path[:200], reason=str(reason))
            self._send(http.client.FORBIDDEN, "application/json", _message(f"Refused by Gradlab: {reason}."))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close_connection = True
            answer = _message(f"The engine does not answer: {error}.")
            with contextlib.suppress(OSError):
                self._send(http.client.BAD_GATEWAY, "application/json", answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815 - the library's names

    def _body(self) -> bytes:
        """The request's body. One without a plain length is refused and ends the connection, for we cannot tell where it ends."""
        lengths = self.headers.get_all("Content-Length", ["0"])
        plain = len(lengths) == 1 and lengths[0].isdecimal() and "Transfer-Encoding" not in self.headers
        if not plain or int(lengths[0]) > MAX_BODY:
            self.close_connection = True
            raise Refused("the body has no length or is too long")
        return self.rfile.read(int(lengths[0]))

    def _do(self, call: Call, body: bytes) -> None:
        if call.name == "attach":
            self._attach(call)
        elif call.name == "create":
            self._create(call, body)
        else:
            query = self.engine.ours if call.name == "list" else QUERIES.get(call.name, "")
            self._send(*self.engine.ask(call.method, call.path + query))

    def _create(self, call: Call, body: bytes) -> None:
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refused("the body is no JSON") from error
        checked = json.dumps(check_container(asked, self.engine.policy)).encode()
        with self.engine.creating:
            if len(self.engine.our_containers()) >= self.engine.policy.containers:
                raise Refused(f"there are {self.engine.policy.containers} containers already")
            answer = self.engine.ask("POST", call.path, checked)
        self._send(*answer)

    def _attach(self, call: Call) -> None:
        """Become the stream between worker and container, if the engine opens one."""
        with socket.socket(socket.AF_UNIX) as wire, wire.makefile("rb") as stream:
            wire.connect(self.engine.path)
            wire.sendall(ATTACH.format(path=call.path + QUERIES["attach"]).encode())
            status = int(stream.readline(CHUNK).split()[1])
            headers = http.client.parse_headers(stream)
            if status == http.client.SWITCHING_PROTOCOLS:
                self._switch(headers)
                self._carry(call.container, wire, stream)
            else:
                self._send(status, "application/json", stream.read(int(headers.get("Content-Length", 0))))

    def _switch(self, headers: Message) -> None:
        """The last thing that is HTTP on this connection."""
        self.close_connection = True
        self.send_response_only(http.client.SWITCHING_PROTOCOLS)
        for name in ("Content-Type", "Connection", "Upgrade"):
            self.send_header(name, headers.get(name, ""))
        self.end_headers()

    def _carry(self, container: str, wire: socket.socket, stream: BinaryIO) -> None:
        """Carry bytes both ways until the worker's end goes; the container goes with it.

        A container that has ended stays until then, for the worker asks how it ended.
        """
        downward = threading.Thread(target=_copy, args=(stream, self.connection), daemon=True)
        downward.start()
        try:
            _copy(self.rfile, wire)
        finally:
            self.engine.remove(container)
            downward.join()

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of what is allowed: a run makes hundreds of requests."""


class Server(ThreadingHTTPServer):
    """A thread for each connection: a worker keeps a few, and one for each container."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], engine: Engine) -> None:
        super().__init__(address, Handler)
        self.engine = engine


def _copy(source: Any, target: socket.socket) -> None:
    """Bytes until the source ends; what the target does not take any more is dropped."""
    with contextlib.suppress(OSError):
        while data := source.read1(CHUNK):
            with contextlib.suppress(OSError):
                target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _message(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


def say(event: str, **facts: str) -> None:
    """A line of the log."""
    sys.stderr.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stderr.flush()


def policy_from(environment: dict[str, str]) -> Policy:
    """The policy that `GRADLAB_ENGINE_…` variables describe; `GRADLAB_RUNNER_IMAGES` is separated by commas and required."""
    images = frozenset(name.strip() for name in environment.get("GRADLAB_RUNNER_IMAGES", "").split(",") if name.strip())
    if not images:
        raise SystemExit("Set GRADLAB_RUNNER_IMAGES to the images that runs may use, as in gradlab-runner:cpu.")
    numbers = {
        name: int(environment[variable])
        for name in ("memory_mb", "processes", "containers")
        if (variable := f"GRADLAB_ENGINE_{name.upper()}") in environment
    }
    scope = environment.get("GRADLAB_ENGINE_SCOPE", "") or Policy.scope
    return Policy(images, scope, gpu=environment.get("GRADLAB_ENGINE_GPU", "0") == "1", **numbers)


def serve(server: Server) -> None:
    """Serve until told to stop; begins and ends without a container of ours."""
    server.engine.remove_all()
    say("listening", port=str(server.server_port), images=", ".join(sorted(server.engine.policy.images)))
    try:
        server.serve_forever()
    finally:
        server.engine.remove_all()


def main() -> None:
    """Read the environment and serve."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, _, port = os.environ.get("GRADLAB_ENGINE_LISTEN", "0.0.0.0:2375").rpartition(":")
    path = os.environ.get("GRADLAB_ENGINE_SOCKET", "/var/run/docker.sock")
    engine = Engine(path, policy_from(dict(os.environ)))
    try:
        with contextlib.suppress(KeyboardInterrupt), Server((host, int(port)), engine) as server:
            serve(server)
    except OSError as error:
        raise SystemExit(f"The engine's socket {path} or the port {port} cannot be used: {error}.") from error


if __name__ == "__main__":
    main()
