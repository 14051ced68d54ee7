"""What lies on the judge's side of the walls for a submission to find: secrets, listeners, and a copy of the lab with a mark in it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

LAB = Path(__file__).parent / "lab"
ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "GRADLAB_HOSTILE_SECRET"
MARK = "judge-only-5f0c"  # stands in the hidden checks and in the solution; each run puts a word of its own there
UNSEEN = "86753.09"  # the beginning of a number that only hidden checks use


class Host:
    """The bait of one session. `token` is in the environment, in a file, in the hidden checks and in the solution."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = secrets.token_hex(12)
        self.lab = self._lab(folder / "lab")
        self._secret = folder / "cwd" / "secret.txt"
        self._secret.parent.mkdir(mode=0o700)
        self._secret.write_text(self.token)
        self._secret.chmod(0o600)
        self._abstract = f"gradlab-hostile-{secrets.token_hex(6)}"
        self._listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)]
        self._listeners[1].bind(f"\0{self._abstract}")
        self._listeners[1].listen()
        for listener in self._listeners:
            listener.setblocking(False)
        # /proc shows the environment that a process began with, so the bait is one that began with the token
        self._bait = subprocess.Popen(["sleep", "3600"], env={**os.environ, VARIABLE: self.token})

    def _lab(self, copy: Path) -> Path:
        shutil.copytree(LAB, copy)
        for path in (copy / "notebook.ipynb", copy / "checks/hidden/test_hidden.py"):
            text = path.read_text()
            assert MARK in text
            path.write_text(text.replace(MARK, self.token))
        return copy

    @property
    def places(self) -> dict[str, str]:
        """What submissions are told, so that a wall and not their ignorance stops them."""
        port = self._listeners[0].getsockname()[1]
        return {
            "SECRET": str(self._secret),
            "VARIABLE": VARIABLE,
            "LAB": str(self.lab),
            "ROOT": str(ROOT),
            "JUDGE": str(os.getpid()),
            "PORT": str(port),
            "ABSTRACT": self._abstract,
        }

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of this machine that no report may name."""
        return (str(ROOT), str(self.folder))

    def visitors(self) -> list[str]:
        """Connections from inside a sandbox."""
        came = []
        for listener in self._listeners:
            with suppress(BlockingIOError):
                listener.accept()[0].close()
                came.append(f"somebody connected to {listener.getsockname()!r}")
        return came

    @contextmanager
    def judging(self, **environment: str) -> Iterator[None]:
        """While the judge works, its environment and its working directory hold the secret."""
        before, cwd = dict(os.environ), Path.cwd()
        os.environ.update({VARIABLE: self.token, **environment})
        os.chdir(self._secret.parent)
        try:
            yield
        finally:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(before)

    def close(self) -> None:
        """Take the bait away."""
        self._bait.kill()
        self._bait.wait()
        for listener in self._listeners:
            listener.close()


@contextmanager
def planted() -> Iterator[Host]:
    """A host with its bait, in a folder of its own."""
    with TemporaryDirectory(prefix="gradlab-hostile-") as folder:
        host = Host(Path(folder))
        try:
            yield host
        finally:
            host.close()
