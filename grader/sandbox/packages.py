"""Which files of site-packages a lab's packages are: their own, and those of everything that they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from .base import SandboxUnavailable


@cache
def package_paths(packages: tuple[str, ...]) -> tuple[Path, ...]:
    """What makes these packages importable, dependencies included; raises `SandboxUnavailable` for one that is missing."""
    owners = metadata.packages_distributions()
    wanted = [name for package in packages for name in _owner(package, owners)]
    paths = {path for name in _closure(wanted) for path in _top_level(name)}
    return tuple(sorted(paths))


def _owner(package: str, owners: Mapping[str, list[str]]) -> list[str]:
    found = owners.get(package)
    if not found:
        raise SandboxUnavailable(f"the lab needs the package {package}, which is not installed beside the grader")
    return [found[0]]


def _closure(names: Iterable[str]) -> set[str]:
    """The distributions and, again and again, what they require here. An optional part that is not installed is left out."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        for text in required:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def _top_level(name: str) -> set[Path]:
    """What the distribution brought to site-packages: packages, libraries, and its metadata, where plug-ins are named."""
    distribution = metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files or [] if not file.is_absolute() and file.parts[0] != ".."}
    kept = {top for top in tops if not top.endswith(".pth") and top != "__pycache__"}
    return {path for top in kept if (path := Path(str(distribution.locate_file(top)))).exists()}
