"""What mlsys_core consists of: its files and packages, read as text and never imported.

A page shows a file only if it is in this catalogue, which is made by walking the package once. A path from outside is a key of the
catalogue, and is never joined to anything.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath

from django.conf import settings

from web.syllabus.docstrings import Docstring, docstring_of

NAME, INIT = "mlsys_core", "__init__.py"
SUFFIXES = (".py", ".c")


@dataclass(frozen=True)
class SourceFile:
    """A module, or the C beside one. `path` begins with mlsys_core, `package` is the path of the package in which it lies.

    `title` is the first sentence about it, and `lines` counts all of its lines.
    """

    path: str
    package: str
    title: str
    lines: int

    @property
    def name(self) -> str:
        """As its package calls it."""
        return self.path.removeprefix(f"{self.package}/")

    @property
    def is_python(self) -> bool:
        """Whether it is a module."""
        return self.path.endswith(".py")

    def text(self) -> str:
        """The file itself."""
        return (Path(settings.BASE_DIR) / self.path).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Package:
    """A package with its modules, and the packages in it. `init` is its `__init__.py`, whose docstring says how to read it."""

    path: str
    init: SourceFile
    files: tuple[SourceFile, ...]
    packages: tuple[str, ...]

    @property
    def title(self) -> str:
        """The first sentence of its docstring; what to read first stands on its own page."""
        return self.init.title.partition(". ")[0]

    @property
    def name(self) -> str:
        """Its own name."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Definition:
    """A public class or function of a module: where it stands, and the first sentence about it."""

    name: str
    is_class: bool
    line: int
    says: str


@cache
def files() -> Mapping[str, SourceFile]:
    """Every module by its path. A link in the tree is not followed, so that nothing outside of it is found."""
    root = Path(settings.BASE_DIR)
    found = {}
    for path in sorted(path for suffix in SUFFIXES for path in (root / NAME).rglob(f"*{suffix}")):
        place = path.relative_to(root)
        if not any((root / part).is_symlink() for part in (place, *place.parents[:-1])):
            text = path.read_text(encoding="utf-8")
            package = next(parent for parent in place.parents if (root / parent / INIT).is_file())
            found[str(place)] = SourceFile(str(place), str(package), docstring_of(text).title, len(text.splitlines()))
    return found


@cache
def packages() -> Mapping[str, Package]:
    """Every package by its path."""
    inits = {file.package: file for file in files().values() if file.name == INIT}
    return {
        path: Package(
            path,
            init,
            tuple(file for file in files().values() if file.package == path and file is not init),
            tuple(other for other in inits if str(PurePosixPath(other).parent) == path),
        )
        for path, init in sorted(inits.items())
    }


def within(path: str) -> tuple[SourceFile, ...]:
    """The modules that a path of the topics names: the file itself, or all of a package; none where there is no such thing yet."""
    whole = f"{NAME}/{path}"
    return tuple(
        file
        for file in files().values()
        if file.path == whole or (file.path.startswith(f"{whole}/") and file.name != INIT)
    )


@lru_cache(maxsize=64)
def definitions(text: str) -> tuple[Definition, ...]:
    """The public classes and functions of a module's text, in its order."""
    return tuple(
        Definition(node.name, isinstance(node, ast.ClassDef), node.lineno, _first_sentence(ast.get_docstring(node)))
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    )


def documentation(file: SourceFile) -> Docstring:
    """What a module says about itself."""
    return docstring_of(file.text())


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split()).removesuffix(".")
