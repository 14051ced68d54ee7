"""The container engine behind its socket, as the filter asks it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from typing import Any
from urllib.parse import quote

from deploy.engine.rules import RUN, SCOPE, Policy, Refused

PATIENCE_S = 60.0
API = "/v1.40"
# The query of each call; what the caller wrote is dropped.
QUERIES = {
    "attach": "?stdin=1&stdout=1&stderr=1&stream=1",
    "stats": "?stream=false&one-shot=true",
    "remove": "?force=true&v=true",
}


class EngineConnection(http.client.HTTPConnection):
    """One connection to the engine's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self._path)


class Engine:
    """The engine as this proxy uses it."""

    def __init__(self, path: str, policy: Policy) -> None:
        self.path, self.policy = path, policy
        labels = json.dumps({"label": [f"{SCOPE}={policy.scope}", f"{RUN}=1"]})
        self.ours = f"?all=true&filters={quote(labels)}"
        self.creating = threading.Lock()
        self._known: set[str] = set()

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, str, bytes]:
        """(status, content type, body) of the engine's answer."""
        connection = EngineConnection(self.path)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", "text/plain"), answer.read()
        finally:
            connection.close()

    def require_ours(self, container: str) -> None:
        """Raise `Refused` for a container that this proxy did not make. One that is not there is the engine's to tell."""
        if container in self._known:
            return
        status, _, body = self.ask("GET", f"{API}/containers/{container}/json")
        if status == http.client.NOT_FOUND:
            return
        labels = _decoded(status, body)["Config"]["Labels"] or {}
        if labels.get(SCOPE) != self.policy.scope:
            raise Refused("the container is not one of ours")
        self._known.add(container)

    def our_containers(self) -> list[str]:
        """Ids of the containers that this proxy, or its predecessor, made and that are still there."""
        status, _, body = self.ask("GET", f"{API}/containers/json{self.ours}")
        return [found["Id"] for found in _decoded(status, body)]

    def remove(self, container: str) -> None:
        """End a container and everything in it."""
        self.ask("DELETE", f"{API}/containers/{container}{QUERIES['remove']}")
        self._known.discard(container)

    def remove_all(self) -> None:
        """Remove every container of ours. Their streams are gone with the proxy that carried them, so nobody can use them."""
        for container in self.our_containers():
            self.remove(container)


def _decoded(status: int, body: bytes) -> Any:
    """The answer's content; raises `HTTPException` when the engine could not give one."""
    if status != http.client.OK:
        raise http.client.HTTPException(f"status {status}, {body[:200]!r}")
    return json.loads(body)
