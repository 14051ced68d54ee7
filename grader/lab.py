"""A labs/ folder: its lab.toml, validated, and the version that its contents hash to."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import msgspec

from .contract import Task
from .sandbox.base import Limits

MLSYS_CORE = Path(__file__).resolve().parent.parent / "mlsys_core"
# What a grade depends on; a README or a mutant may change without a new version.
VERSIONED = ("lab.toml", "notebook.ipynb", "driver.py", "handout.md", "checks")


class LabError(Exception):
    """A labs/ folder that cannot be used; the text names the file and what is wrong with it."""


class TaskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[tasks]]` of lab.toml."""

    id: str
    title: str
    points: float
    gpu_points: float = 0.0  # what its checks marked `gpu` add where there is one


class Device(StrEnum):
    """Where a lab's code runs: `any` lab has checks for a GPU too, which count where there is one."""

    CPU = "cpu"
    GPU = "gpu"
    ANY = "any"


class BannedImports(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[banned_imports]]`: top-level module names and the reason that a student is told."""

    names: tuple[str, ...]
    reason: str


class BannedOperations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[banned_operations]]`: what a student's code may not call in these tasks, and the reason that it is told.

    A name is a function by its dotted path (`numpy.linalg.inv`), an operator of torch (`aten::mm`), or `triton:launch`.
    """

    names: tuple[str, ...]
    tasks: tuple[str, ...]
    reason: str


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`; see `grader.sandbox.base.Limits` for units."""

    wall_s: float = 10.0
    load_s: float = 20.0
    cpu_s: float = 60.0
    memory_mb: int = 1024
    processes: int = 32
    disk_mb: int = 32
    output_kb: int = 64


class LabSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """lab.toml, whole."""

    slug: str
    title: str
    tasks: tuple[TaskSettings, ...]
    number: int = 0
    device: Device = Device.CPU
    entry: str = "notebook.ipynb"
    accepts: tuple[str, ...] = (".ipynb", ".py", ".zip")
    packages: tuple[str, ...] = ("numpy",)
    # modules that the driver imports, each after those that it needs itself: of mlsys_core, or files beside driver.py by plain names
    library: tuple[str, ...] = ()
    boards: tuple[
        str, ...
    ] = ()  # measured checks with a board of best results, by name; what they measure is shown to all
    max_upload_mb: int = 16
    limits: LimitSettings = LimitSettings()
    banned_imports: tuple[BannedImports, ...] = ()
    banned_operations: tuple[BannedOperations, ...] = ()


class Lab:
    """One lab as it lies on disk."""

    def __init__(self, path: Path, *, gpu: bool = False) -> None:
        """`gpu`: where a lab's device is `any`, whether it is graded on one."""
        self.path, self._gpu = path.resolve(), gpu
        if not (self.path / "lab.toml").is_file():
            raise LabError(f"{path} is no lab: it has no lab.toml.")

    @cached_property
    def settings(self) -> LabSettings:
        """lab.toml; raises `LabError` naming the faulty key."""
        try:
            found = msgspec.toml.decode((self.path / "lab.toml").read_bytes(), type=LabSettings)
        except msgspec.DecodeError as error:
            raise LabError(f"{self.path.name}/lab.toml: {error}") from error
        if found.device is not Device.ANY and any(task.gpu_points for task in found.tasks):
            raise LabError(f'{self.path.name}/lab.toml: gpu_points are for a lab whose device is "any".')
        return found

    @cached_property
    def version(self) -> str:
        """SHA-256 over everything that a grade depends on, 16 hex digits."""
        digest = hashlib.sha256()
        for file in sorted(self._versioned_files()):
            digest.update(str(file.relative_to(self.path)).encode() + b"\0" + file.read_bytes() + b"\0")
        for name, source in self.library.items():
            digest.update(f"{name}\0{source}\0".encode())
        if self.settings.device is Device.ANY and self.on_gpu:  # other checks and other points, so another version
            digest.update(b"on a GPU")
        return digest.hexdigest()[:16]

    @property
    def limits(self) -> Limits:
        """The lab's limits as a sandbox takes them."""
        return Limits(**msgspec.structs.asdict(self.settings.limits))

    @property
    def on_gpu(self) -> bool:
        """Whether it is graded on a GPU."""
        return self.settings.device is Device.GPU or (self.settings.device is Device.ANY and self._gpu)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks in their order."""
        return tuple(
            Task(task.id, task.title, task.points + self.on_gpu * task.gpu_points) for task in self.settings.tasks
        )

    @property
    def checks(self) -> Path:
        """The folder of checks; those in `hidden/` are left out of the student release."""
        return self.path / "checks"

    @property
    def notebook(self) -> Path:
        """The instructor's notebook, with solutions."""
        return self.path / self.settings.entry

    @property
    def driver(self) -> str:
        """Source of driver.py, which calls the student's code inside the sandbox."""
        return self._text("driver.py")

    @cached_property
    def library(self) -> dict[str, str]:
        """Module name → source of what lab.toml's `library` lists: it goes into the sandbox and to students, so it holds no answers.

        A name `driver_…` is a file of the lab's own, a part of its driver.
        """
        return {name: self._library_source(name) for name in self.settings.library}

    def _library_source(self, name: str) -> str:
        package, *parts = name.split(".")
        if not parts and name.startswith("driver_") and (self.path / f"{name}.py").is_file():
            return self._text(f"{name}.py")
        path = MLSYS_CORE.joinpath(*parts).with_suffix(".py")
        if package != MLSYS_CORE.name or not parts or not path.is_file():
            raise LabError(f"{self.path.name}/lab.toml: library names {name}, and mlsys_core has no such module.")
        return path.read_text(encoding="utf-8")

    @property
    def handout(self) -> str:
        """The handout as Markdown."""
        return self._text("handout.md")

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except OSError as error:
            raise LabError(f"{self.path.name}/{name} cannot be read: {error.strerror}.") from error

    def _versioned_files(self) -> list[Path]:
        files: list[Path] = []
        for name in VERSIONED:
            path = self.path / name
            files += [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file() and f.suffix != ".pyc"]
        return files
