"""From what a student sent to the code to run, or a refusal that costs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from .archive import check_name, read_zip
from .contract import Refusal
from .inside.cells import Cell
from .lab import BannedImports, Lab
from .notebook import merged, read_notebook, refuse_magics
from .source import UNPARSABLE, parse

PROGRAMS = (".ipynb", ".py")
COMPANIONS = (".md", ".txt")
MAX_SOURCE = 250_000  # characters; Python needs up to a second and 600 bytes for each to parse it


def read_submission(lab: Lab, files: Sequence[tuple[str, bytes]]) -> list[Cell]:
    """The cells to run; raises `Refusal` with a sentence that says what is wrong and what to do."""
    name, data = _program(lab, files)
    cells = _notebook_cells(lab, data) if name.lower().endswith(".ipynb") else [_script(name, data)]
    for cell in cells:
        if not cell.given:  # parsing ours, most of the notebook, would be half of what a press of Submit costs
            _refuse_imports(cell, lab.settings.banned_imports)
    return cells


def _program(lab: Lab, files: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The one notebook or script among the files."""
    accepted = ", ".join(lab.settings.accepts)
    if not files:
        raise Refusal(f"No file was sent. Choose your notebook ({accepted}) and submit again.")
    programs = [file for name, data in files for file in _programs_in(lab, check_name(name), data)]
    if not programs:
        raise Refusal("There is no notebook and no .py file in what you sent. Add your notebook and submit again.")
    if len(programs) > 1:
        names = ", ".join(name for name, _ in programs[:4])
        raise Refusal(
            f"There are {len(programs)} programs in what you sent ({names}). Send one notebook or one .py file."
        )
    return programs[0]


def _programs_in(lab: Lab, name: str, data: bytes) -> list[tuple[str, bytes]]:
    suffix = PurePosixPath(name).suffix.lower()
    limit = lab.settings.max_upload_mb << 20
    if suffix not in lab.settings.accepts:
        raise Refusal(
            f"{name} is of a kind that this lab does not take. Send one of {', '.join(lab.settings.accepts)}."
        )
    if len(data) > limit:
        raise Refusal(
            f"{name} has {len(data) / 2**20:.1f} MB; at most {limit >> 20} MB are accepted. "
            "In Jupyter, choose Clear All Outputs, save, and submit again."
        )
    if not data:
        raise Refusal(f"{name} is empty: it has no bytes. Save your work and submit again.")
    if suffix != ".zip":
        return [(name, data)]
    inner = read_zip(name, data, max_bytes=limit)
    strangers = [path for path, _ in inner if not path.lower().endswith(PROGRAMS + COMPANIONS)]
    if strangers:
        raise Refusal(f"{name}: the entry {strangers[0]!a} is of a kind that this lab does not take. Leave it out.")
    return [(path, content) for path, content in inner if path.lower().endswith(PROGRAMS)]


def _notebook_cells(lab: Lab, data: bytes) -> list[Cell]:
    notebook = read_notebook(data)
    _refuse_long(cell.source for cell in notebook.cells if cell.cell_type == "code")
    refuse_magics(notebook)
    return merged(notebook, lab_notebook(lab))


def lab_notebook(lab: Lab) -> Any:
    """The instructor's notebook, parsed once; treat it as read-only."""
    return _parsed(lab.notebook.read_bytes())


@lru_cache(maxsize=16)
def _parsed(data: bytes) -> Any:
    return read_notebook(data)


def _refuse_long(sources: Iterable[str]) -> None:
    """Source is parsed here, where nothing limits what that costs, so there is only so much of it. It is compiled inside."""
    size = sum(map(len, sources))
    if size > MAX_SOURCE:
        raise Refusal(
            f"There are {size / 1e3:,.0f} kB of code in what you sent; at most {MAX_SOURCE / 1e3:,.0f} kB are accepted. "
            "Take data that was pasted into the code out of it, and submit again."
        )


def _script(name: str, data: bytes) -> Cell:
    try:
        source = data.decode("utf-8-sig")  # Python reads files with a byte order mark, too
        _refuse_long([source])
        parse(source, name)
    except UnicodeDecodeError as error:
        raise Refusal(f"{name} is not text in UTF-8, so it cannot be read.") from error
    except UNPARSABLE as error:
        line = f" at line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise Refusal(
            f"{name} is not valid Python{line}: {error.args[0] if error.args else error}. Mend it and submit again."
        ) from error
    return Cell(PurePosixPath(name).name, source)


def _refuse_imports(cell: Cell, banned: Iterable[BannedImports]) -> None:
    """A clear word before anything runs; inside the sandbox the modules are not there either."""
    found = _imports(cell.source)
    for rule in banned:
        for line, module in found:
            if module.partition(".")[0] in rule.names:
                where = f"line {line}" if cell.label.endswith(".py") else f"{cell.label}, line {line}"
                raise Refusal(f"Your submission imports {module} ({where}). {rule.reason}")


def _imports(source: str) -> list[tuple[int, str]]:
    """(line, module) of each import statement, and of calls to `__import__` and `import_module` with a literal name."""
    try:
        tree = parse(source)
    except UNPARSABLE:
        return []  # a cell that cannot be parsed cannot run either
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.lineno, node.module))
        elif isinstance(node, ast.Call) and _imports_by_call(node):
            found.append((node.lineno, str(node.args[0].value)))  # type: ignore[attr-defined]
    return found


def _imports_by_call(node: ast.Call) -> bool:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    first = node.args[0] if node.args else None
    return name in {"__import__", "import_module"} and isinstance(first, ast.Constant) and isinstance(first.value, str)
