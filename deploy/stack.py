"""The whole product on one machine: Redis, web, worker and sweeper as real processes. The demo and the browser tests run on it."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent


class StackError(RuntimeError):
    """A part of the product did not start or stopped; the text names it and quotes the end of its log."""


@dataclass
class Stack:
    """Starts the parts in order and stops them in reverse. `data` holds everything that they write."""

    data: Path
    port: int
    host: str = "127.0.0.1"
    settings: Mapping[str, str] = field(default_factory=dict)
    web_workers: int = 1
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.redis_port, password = free_port(), secrets.token_urlsafe(16)
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "GRADLAB_DATA_DIR": str(self.data),
            "GRADLAB_SITE_URL": self.url,
            "GRADLAB_REDIS_URL": f"redis://:{password}@127.0.0.1:{self.redis_port}/0",
            **self.settings,
        }

    @property
    def url(self) -> str:
        """Where the browser finds it."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Stack:
        self.data.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed; raises `StackError` when it fails."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise StackError(f"`manage.py {' '.join(arguments)}` failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def start_redis(self) -> None:
        """The wheel's redis-server, on this machine only, with a password."""
        self.start_part("redis")
        self.wait_for("redis")

    def start_site(self) -> None:
        """Web server, worker and sweeper; raises `StackError` when somebody else has the port."""
        self._refuse_a_taken_port()
        for name in ("web", "worker", "sweeper"):
            self.start_part(name)
        self.wait_for("web")

    def start_web(self) -> None:
        """The web server alone."""
        self._refuse_a_taken_port()
        self.start_part("web")
        self.wait_for("web")

    def start_part(self, name: str, **settings: str) -> None:
        """Start redis, web, worker or sweeper, with settings of its own beside everybody's."""
        self.start(name, self.command(name), **settings)

    def command(self, name: str) -> list[str]:
        """The command line of a part. Whoever waits for an answer goes before whoever waits for a grade."""
        manage = [sys.executable, str(ROOT / "manage.py")]
        if name == "web":
            return [
                *manage,
                "web",
                f"--host={self.host}",
                f"--port={self.port}",
                f"--workers={self.web_workers}",
                "--grace=2",
            ]
        if name == "worker":
            return ["nice", "-n", "10", *manage, "worker"]
        return [*manage, {"redis": "redis_server"}.get(name, name)]

    def _refuse_a_taken_port(self) -> None:
        if self._site_answers():
            raise StackError(
                f"Port {self.port} is taken by another program. Choose another, as in `make demo PORT=8001`."
            )

    def start(self, name: str, command: list[str], **settings: str) -> None:
        """Start one process; its output goes to a log beside the data."""
        logs = self.data / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603 - our own command lines
                command,
                env=self.environment | settings,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise `StackError` when a part has stopped."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} stopped with status {process.returncode}:\n{self.log(name)}")

    def log(self, name: str, size: int = 4000) -> str:
        """The end of a part's log."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")[-size:]

    def stop(self) -> None:
        """End every part, the last started first; one that does not listen is killed."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in reversed(self.processes.values()):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def wait_for(self, name: str, patience_s: float = 60.0) -> None:
        """Until redis or web answers; raises `StackError` when a part stops meanwhile, or patience ends."""
        ready = {"redis": self._redis_answers, "web": self._site_answers}[name]
        deadline = time.monotonic() + patience_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{name} did not answer within {patience_s:.0f} s:\n{self.log(name)}")
            time.sleep(0.05)

    def _redis_answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.redis_port), timeout=1):
                return True
        except OSError:
            return False

    def _site_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
