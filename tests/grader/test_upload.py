"""What is refused before anything runs: each refusal is a sentence that names the fault."""

from __future__ import annotations

import io
import json
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import nbformat
import pytest

from grader.api import check_upload, notebook_cells
from grader.contract import Refusal
from grader.lab import Lab
from grader.upload import read_submission
from tests.support import ADD, SCALE, notebook_of


def zip_of(*entries: tuple[str, bytes], mode: int = stat.S_IFREG | 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr, entry.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


def zip_packed_by(method: int, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("work.py", content)
    return buffer.getvalue()


def damaged_zip() -> bytes:
    """One whose directory is whole and whose packed bytes are not."""
    data = bytearray(zip_packed_by(zipfile.ZIP_DEFLATED, ADD.encode() * 20))
    at = data.index(b"work.py") + len(b"work.py")
    data[at : at + 8] = b"\xff" * 8
    return bytes(data)


def zip_with_many_entries(count: int) -> bytes:
    """A directory of `count` entries, made by hand because a real one takes long."""
    name = b"a"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, zlib.crc32(b""), 0, 0, 1, 0) + name
    central = (
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, zlib.crc32(b""), 0, 0, 1, 0, 0, 0, 0, 0, 0) + name
    )
    directory = central * count
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), len(directory), len(local), 0
    )
    return local + directory + end


GOOD = notebook_of(ADD, SCALE)
NO_CELLS = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}).encode()
FUTURE = json.dumps({"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}).encode()
BAD_SOURCE = json.dumps(
    {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}, "source": 7}]}
).encode()

REFUSED = {
    "no file": ([], "No file was sent"),
    "an empty file": ([("work.ipynb", b"")], "work.ipynb is empty"),
    "spaces only": ([("work.ipynb", b"  \n")], "empty"),
    "a huge notebook": ([("work.ipynb", GOOD + b" " * (30 << 20))], "at most 16 MB are accepted"),
    "truncated JSON": ([("work.ipynb", GOOD[: len(GOOD) // 2])], "broken or cut off"),
    "a list for a notebook": ([("work.ipynb", b"[1, 2]")], "not a notebook that can be read"),
    "an unknown format": ([("work.ipynb", FUTURE)], "notebook"),
    "no cells": ([("work.ipynb", NO_CELLS)], "has no cells"),
    "a number for a source": ([("work.ipynb", BAD_SOURCE)], "notebook"),
    "not UTF-8": ([("work.ipynb", b"\xff\xfe{}")], "UTF-8"),
    "a wrong kind": ([("work.exe", b"MZ")], "does not take"),
    "a name with a newline": ([("wo\nrk.py", ADD.encode())], "invisible character"),
    "a name that turns around": ([("wo\u202erk.py", ADD.encode())], "invisible character"),
    "a name that is a path": ([("../work.py", ADD.encode())], "is a path"),
    "two programs": ([("a.py", ADD.encode()), ("b.py", ADD.encode())], "There are 2 programs"),
    "broken Python": ([("work.py", b"def f(:\n  pass")], "not valid Python at line 1"),
    "a magic": (
        [("work.ipynb", notebook_of(ADD, "%matplotlib inline\nx = 1"))],
        "Cell 2 uses a notebook command, `%matplotlib",
    ),
    "a shell line": ([("work.ipynb", notebook_of("!curl example.org"))], "Cell 1 uses a notebook command, `!curl"),
    "a magic on the right": ([("work.ipynb", notebook_of("files = !ls\nx = 1"))], "`files = !ls`"),
    "too much code": ([("work.py", b"x = [" + b"0," * 200_000 + b"]")], "400 kB of code"),
    "too much code in cells": ([("work.ipynb", notebook_of(*["x = [" + "0," * 50_000 + "]"] * 3))], "300 kB of code"),
    "a cell magic": ([("work.ipynb", notebook_of("%%bash\nls"))], "Cell 1 uses a notebook command, `%%bash"),
    "get_ipython": ([("work.ipynb", notebook_of("get_ipython().system('ls')"))], "Cell 1 calls get_ipython()"),
    "import torch": ([("work.py", b"import torch\n")], "imports torch (line 1). The lab is to write"),
    "from torch import": (
        [("work.ipynb", notebook_of("x = 1", "from torch.nn import functional"))],
        "torch.nn (cell 2, line 1)",
    ),
    "import by call": ([("work.py", b"x = __import__('torch')\n")], "imports torch"),
    "import by importlib": (
        [("work.py", b"import importlib\nx = importlib.import_module('mlsys_core.autodiff')\n")],
        "mlsys_core",
    ),
    "not a zip": ([("work.zip", b"hello")], "not a zip file"),
    "a cut zip": ([("work.zip", zip_of(("w.py", ADD.encode()))[:40])], "zip file"),
    "a damaged zip": ([("work.zip", damaged_zip())], "cannot be opened as a zip file"),
    "an entry without a name": ([("work.zip", zip_of(("", b"x = 1")))], "has no name"),
    "a bomb of bzip2": (
        [("work.zip", zip_packed_by(zipfile.ZIP_BZIP2, bytes(20 << 20)))],
        "'work.py' is packed in an unusual way",
    ),
    "a bomb of lzma": (
        [("work.zip", zip_packed_by(zipfile.ZIP_LZMA, bytes(20 << 20)))],
        "'work.py' is packed in an unusual way",
    ),
    "a zip that climbs": ([("work.zip", zip_of(("../x.py", b"x = 1")))], "'../x.py' points outside"),
    "an absolute entry": ([("work.zip", zip_of(("/etc/x.py", b"x = 1")))], "points outside"),
    "a backslash entry": ([("work.zip", zip_of(("..\\x.py", b"x = 1")))], "points outside"),
    "a link in a zip": (
        [("work.zip", zip_of(("x.py", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777))],
        "'x.py' is a link",
    ),
    "a device in a zip": ([("work.zip", zip_of(("x.py", b""), mode=stat.S_IFCHR | 0o666))], "is a link or a device"),
    "a newline in a zip": ([("work.zip", zip_of(("x\n.py", b"x = 1")))], "invisible character"),
    "names that differ by case": ([("work.zip", zip_of(("x.py", b"x"), ("X.py", b"x")))], "is there twice"),
    "a zip in a zip": ([("work.zip", zip_of(("x.zip", b"PK")))], "archive inside the archive"),
    "a million entries": ([("work.zip", zip_with_many_entries(300_000))], "lists more than"),
    "a bomb": ([("work.zip", zip_of(("x.py", bytes(20 << 20))))], "unpacks to more than is accepted"),
    "a binary in a zip": ([("work.zip", zip_of(("w.py", ADD.encode()), ("x.so", b"\x7fELF")))], "'x.so' is of a kind"),
    "a zip without a program": ([("work.zip", zip_of(("readme.md", b"hello")))], "no notebook and no .py file"),
}


@pytest.mark.parametrize("case", REFUSED, ids=[name.replace(" ", "-") for name in REFUSED])
def test_what_cannot_be_graded_is_refused_with_a_sentence(tiny, case):
    files, words = REFUSED[case]
    with pytest.raises(Refusal) as refusal:
        check_upload(tiny, files)
    sentence = str(refusal.value)
    assert words in sentence
    assert sentence.endswith((".", "again."))
    assert "Traceback" not in sentence
    assert str(tiny) not in sentence


def test_a_doubled_cell_is_refused(tiny):
    notebook = nbformat.read(Lab(tiny).notebook, as_version=4)
    notebook.cells.append(dict(notebook.cells[2], id="copy"))
    notebook = nbformat.from_dict(notebook)
    with pytest.raises(Refusal, match="in your notebook twice"):
        check_upload(tiny, [("work.ipynb", nbformat.writes(notebook).encode())])


def test_what_the_lab_itself_imports_is_not_held_against_the_student(tiny, tmp_path):
    lab = shutil.copytree(tiny, tmp_path / "lab")
    ours = nbformat.read(lab / "notebook.ipynb", as_version=4)
    given = next(cell for cell in ours.cells if cell.metadata.get("nbgrader", {}).get("locked"))
    given.source += "\nimport torch"
    nbformat.write(ours, lab / "notebook.ipynb")
    check_upload(lab, [("work.ipynb", GOOD)])
    with pytest.raises(Refusal, match="imports torch"):
        check_upload(lab, [("work.ipynb", notebook_of(ADD, SCALE + "\nimport torch"))])


def test_a_lab_that_was_edited_in_place_is_read_again(tiny, tmp_path):
    lab = shutil.copytree(tiny, tmp_path / "lab")
    before = notebook_cells(lab)
    ours = nbformat.read(lab / "notebook.ipynb", as_version=4)
    ours.cells.append(nbformat.v4.new_markdown_cell("One more thing."))
    nbformat.write(ours, lab / "notebook.ipynb")
    assert [cell.source for cell in notebook_cells(lab)] == [*(cell.source for cell in before), "One more thing."]


@pytest.mark.parametrize("version", [3, 4])
def test_older_notebook_formats_are_upgraded(tiny, version):
    notebook = nbformat.convert(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ADD + SCALE)]), version)
    data = nbformat.writes(notebook, version=version).encode()
    cells = read_submission(Lab(tiny), [("old.ipynb", data)])
    assert any("def add" in cell.source for cell in cells)


def test_what_python_warns_of_is_no_mistake(tiny):
    check_upload(tiny, [("work.py", b"pattern = '\\d'\nx = 1 is 1\n")])


def test_a_percent_sign_in_plain_python_is_no_magic(tiny):
    source = 'x = 7 \\\n  % 3\ntext = """\n%time\n!ls\n"""\n'
    check_upload(tiny, [("work.ipynb", notebook_of(source))])


@pytest.mark.parametrize("name", ["WORK.IPYNB", "work.ipynb"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_a_notebook_is_one_however_windows_spells_and_saves_it(tiny, name, mark):
    (cell,) = [cell for cell in read_submission(Lab(tiny), [(name, mark + notebook_of(ADD))]) if not cell.given]
    assert cell.source.strip() == ADD.strip()


def test_a_byte_order_mark_is_no_part_of_a_script(tiny):
    (cell,) = read_submission(Lab(tiny), [("work.py", b"\xef\xbb\xbf" + ADD.encode())])
    assert cell.source == ADD


def test_a_zip_may_hold_what_file_managers_leave_behind(tiny):
    data = zip_of(("lab/work.py", (ADD + SCALE).encode()), ("__MACOSX/._work.py", b"\0"), ("lab/notes.md", b"hi"))
    assert read_submission(Lab(tiny), [("work.zip", data)])[0].label == "work.py"


def test_our_own_cells_are_restored_whatever_was_sent(tiny):
    notebook = nbformat.read(Lab(tiny).notebook, as_version=4)
    notebook.cells[1].source = "GIVEN = 100"
    edited = read_submission(Lab(tiny), [("work.ipynb", nbformat.writes(notebook).encode())])
    assert "GIVEN = 1" in edited[0].source.splitlines()
    del notebook.cells[1]
    without = read_submission(Lab(tiny), [("work.ipynb", nbformat.writes(notebook).encode())])
    assert "GIVEN = 1" in without[0].source.splitlines()
    assert [cell.label for cell in without] == ["cell given", "cell 2", "cell 3"]


def test_outputs_never_reach_the_sandbox(tiny, tmp_path: Path):
    cell = nbformat.v4.new_code_cell(ADD)
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": "<script>alert(1)</script>"})]
    data = nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()
    assert all("script" not in cell.source for cell in read_submission(Lab(tiny), [("w.ipynb", data)]))


@pytest.mark.parametrize(
    "unread",
    [
        {"outputs": [{}, 1, "x"] * 3},
        {"metadata": {"tags": [{}, {}], "jupyter": 3}},
        {"attachments": {"a.png": {"image/png": [1, 2]}}},
        {"of_a_plugin": [[]]},
    ],
    ids=lambda unread: next(iter(unread)),
)
def test_what_nobody_reads_of_a_notebook_is_not_looked_at(tiny, unread):
    """The validator takes minutes to word what is wrong in much of it, and no answer stands there."""
    notebook = json.loads(GOOD)
    notebook["metadata"]["authors"] = 7
    for cell in notebook["cells"]:
        cell.update(unread)
    cells = read_submission(Lab(tiny), [("work.ipynb", json.dumps(notebook).encode())])
    assert [cell.source for cell in cells] == [
        cell.source for cell in read_submission(Lab(tiny), [("work.ipynb", GOOD)])
    ]
