"""One environment for each peer, from the registry that pip is set up for, under a folder that git ignores."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .submissions import System

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / "var" / "bench-peers"
# torch first and exact: pip then takes the build that it takes for our own environment
TORCH = "torch==2.13.0"
PINS = {
    System.NBGRADER: ("nbgrader==0.9.6", "ipykernel==7.4.0", "numpy==2.3.5"),
    System.OTTER: ("otter-grader==7.0.0", "ipykernel==7.4.0", "numpy==2.3.5"),
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and what its programs see of this machine."""

    folder: Path

    def program(self, name: str) -> str:
        """Path of one of its programs."""
        return str(self.folder / "bin" / name)

    @property
    def variables(self) -> dict[str, str]:
        """Its programs come first, nothing of the user's settings is read, one thread for each numerical library."""
        home = CACHE / "home"
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }


def environment(system: System, *, torch: bool) -> Environment:
    """The peer's environment, made on the first call and again when a pin changes."""
    made = Environment(CACHE / f"env-{system}")
    pins = ([TORCH] if torch else []) + list(PINS[system])
    stamp = made.folder / "pins.txt"
    installed = stamp.read_text().split() if stamp.exists() else []
    if not set(pins) <= set(installed):
        print(f"Installing {', '.join(pins)} into {made.folder.relative_to(ROOT)} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(made.folder)], check=True)
        subprocess.run([made.program("python"), "-m", "pip", "install", "--quiet", *pins], check=True)
        stamp.write_text("\n".join(pins))
    return made
