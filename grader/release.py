"""The student version of a lab: solutions replaced by stubs, hidden checks left out, and all that the public checks need to run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .lab import Lab
from .notebook import student_version, write_notebook
from .upload import lab_notebook

HERE = Path(__file__).resolve().parent
VENDORED = ("checks", "inside")
CONFTEST = '''"""Runs this lab's checks on your notebook: pip install numpy pytest, then `pytest`."""

from __future__ import annotations

pytest_plugins = ["gradlab_checks.checks.plugin"]
'''
PYTEST_INI = "[pytest]\ntestpaths = checks\npythonpath = . checks\naddopts = -q --import-mode=importlib\n"


def release_files(lab: Lab) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of the student version."""
    yield lab.settings.entry, write_notebook(student_version(lab_notebook(lab)))
    yield "handout.md", lab.handout.encode()
    yield "driver.py", lab.driver.encode()
    yield "conftest.py", CONFTEST.encode()
    yield "pytest.ini", PYTEST_INI.encode()
    yield from _tree(lab.checks, "checks", skip="hidden")
    yield from _library(lab)
    yield "gradlab_checks/__init__.py", b'"""What runs the checks; from the Gradlab grader."""\n'
    for package in VENDORED:
        yield from _tree(HERE / package, f"gradlab_checks/{package}")


def _library(lab: Lab) -> Iterator[tuple[str, bytes]]:
    """The modules that the driver imports, and empty packages around those of mlsys_core."""
    for name, source in lab.library.items():
        yield f"{name.replace('.', '/')}.py", source.encode()
    for package in sorted({str(parent) for name in lab.library for parent in Path(*name.split(".")).parents} - {"."}):
        yield f"{package}/__init__.py", b'"""A part of the course library."""\n'


def _tree(folder: Path, at: str, skip: str = "") -> Iterator[tuple[str, bytes]]:
    """The folder's modules and texts: checks may read data that lies beside them."""
    for file in sorted(one for kind in ("*.py", "*.txt") for one in folder.rglob(kind)):
        relative = file.relative_to(folder)
        if not (skip and relative.parts[0] == skip):
            yield f"{at}/{relative.as_posix()}", file.read_bytes()


def write_release(lab: Lab, out: Path) -> list[str]:
    """Write the student version into a folder and return the paths; existing files are replaced."""
    written = []
    for path, data in release_files(lab):
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        written.append(path)
    return written


def release_zip(lab: Lab) -> bytes:
    """The student version as a zip, the same bytes for the same lab version."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in release_files(lab):
            entry = zipfile.ZipInfo(f"{lab.settings.slug}/{path}", date_time=(2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
