"""`python -m grader`: exit status, JSON, student release, mutants."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from grader.api import load_lab, notebook_cells, notebook_from_cells, student_release_zip
from grader.cli import main
from grader.lab import LabError
from tests.support import ADD, SCALE, plain_environment

FIELDS = {"name", "task", "verdict", "score", "max_score", "message", "hidden"}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "work.py"
    path.write_text(ADD + SCALE)
    return path


def test_a_graded_submission_exits_with_zero_and_prints_a_report(tiny, work, capsys):
    assert main(["grade", str(tiny), str(work), "--sandbox", "trusted", "--json", "--seed", "7"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["score"], report["max_score"], report["outcome"], report["seed"]) == (10, 10, "graded", 7)
    assert all(set(check) >= FIELDS for check in report["checks"])


def test_a_refused_submission_exits_with_two_and_one_sentence(tiny, work, capsys):
    work.write_text("import torch\n")
    assert main(["grade", str(tiny), str(work), "--sandbox", "trusted"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.strip().count("\n") == 0
    assert "imports torch" in printed.err


def test_a_lab_that_is_none_is_our_fault_not_the_students(tmp_path, work, capsys):
    assert main(["grade", str(tmp_path), str(work)]) == 1
    assert "has no lab.toml" in capsys.readouterr().err


def test_the_release_holds_no_solution_and_no_hidden_check_and_its_checks_run(tiny, tmp_path: Path):
    out = tmp_path / "release"
    assert main(["release", str(tiny), str(out)]) == 0
    text = "\n".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert "return a + b" not in (out / "notebook.ipynb").read_text()
    assert "raise NotImplementedError" in (out / "notebook.ipynb").read_text()
    assert "SOLUTION" not in (out / "notebook.ipynb").read_text()
    assert "test_hidden" not in text
    assert "arrays without elements" not in text
    released = nbformat.read(out / "notebook.ipynb", as_version=4)
    assert [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in released.cells] == [
        None,
        "given",
        "add",
        "scale",
    ]
    solved = (out / "notebook.ipynb").read_text().replace("raise NotImplementedError", "return a + b", 1)
    (out / "notebook.ipynb").write_text(solved)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "pytest"],
        cwd=out,
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_release_zip_is_the_same_bytes_each_time(tiny):
    data = student_release_zip(tiny)
    assert data == student_release_zip(tiny)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert "tiny/notebook.ipynb" in archive.namelist()


def test_every_mutant_dies_in_its_own_task(tiny, capsys):
    assert main(["mutants", str(tiny), "--sandbox", "trusted"]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 mutants killed" in said
    assert len(re.findall(r"^task \d alone .* stands alone$", said, re.MULTILINE)) == 2


def test_a_task_that_needs_another_fails_the_command(lab_copy, capsys):
    notebook = lab_copy / "notebook.ipynb"
    notebook.write_text(notebook.read_text().replace("return a * factor", "return add(a * factor, 0)"))
    assert main(["mutants", str(lab_copy), "--sandbox", "trusted", "--jobs", "1"]) == 1
    assert re.search(r"^task 2 alone .* NEEDS ANOTHER TASK$", capsys.readouterr().out, re.MULTILINE)


def test_a_solution_cell_that_names_no_task_is_named(lab_copy, capsys):
    notebook = lab_copy / "notebook.ipynb"
    notebook.write_text(notebook.read_text().replace('"task": "2"', '"task": "9"'))
    assert main(["mutants", str(lab_copy), "--sandbox", "trusted", "--jobs", "1"]) == 1
    assert "the solution cell scale names no task" in capsys.readouterr().err


def test_a_mutant_may_not_change_which_names_a_cell_defines(lab_copy, capsys):
    (lab_copy / "mutants" / "renamed.toml").write_text(
        'task = "1"\ndescription = "other names"\ngrade_id = "add"\nfind = "def add"\nreplace = "def sum"\n'
    )
    assert main(["mutants", str(lab_copy), "--sandbox", "trusted"]) == 1
    assert "renamed.toml: it changes which names the cell add defines" in capsys.readouterr().err


def test_the_checks_of_one_task_alone_are_run(tiny, capsys):
    arguments = ["grade", str(tiny), str(tiny / "notebook.ipynb"), "--sandbox", "trusted"]
    assert main([*arguments, "--task", "2"]) == 0
    said = capsys.readouterr().out
    assert "4 / 4 points" in said
    assert "task 1" not in said
    assert main([*arguments, "--task", "2", "--task", "7"]) == 1
    assert "has no task 7" in capsys.readouterr().err


def test_a_mutant_that_survives_fails_the_command(lab_copy, capsys):
    (lab_copy / "mutants" / "harmless.toml").write_text(
        'task = "1"\ndescription = "the same"\ngrade_id = "add"\nfind = "a + b"\nreplace = "b + a"\n'
    )
    assert main(["mutants", str(lab_copy), "--sandbox", "trusted"]) == 1
    assert "SURVIVES" in capsys.readouterr().out


def test_the_editor_gets_the_student_version_and_gives_a_notebook_back(tiny):
    cells = {cell.key: cell for cell in notebook_cells(tiny)}
    assert [cell.kind for cell in cells.values()] == ["markdown", "given", "solution", "solution"]
    edited = nbformat.reads(
        notebook_from_cells(tiny, {"add": "def add(a, b): return 1", "given": "GIVEN = 9"}).decode(), as_version=4
    )
    sources = [cell.source for cell in edited.cells]
    assert "def add(a, b): return 1" in sources
    assert "GIVEN = 9" not in sources


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("lab.toml", "points = 6", "points = 7", "its checks give 6 points, lab.toml says 7"),
        ("lab.toml", 'slug = "tiny"', "slug = 3", "lab.toml"),
        ("lab.toml", 'title = "Tiny"', 'title = "Tiny"\ntypo = 1', "typo"),
        ("checks/test_add.py", "@pytest.mark.points(4)", "", "needs @pytest.mark.task"),
        ("checks/test_add.py", 'mark.task("1")', 'mark.task("9")', "which lab.toml does not have"),
        ("checks/test_add.py", "import pytest", "import nothing_here\nimport pytest", "errors"),
    ],
)
def test_a_faulty_lab_names_its_fault(lab_copy, file, old, new, words):
    path = lab_copy / file
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(LabError) as error:
        load_lab(lab_copy)
    assert words in str(error.value)


def test_the_version_follows_what_a_grade_depends_on(lab_copy):
    before = load_lab(lab_copy).version
    (lab_copy / "README.md").write_text("notes")
    assert load_lab(lab_copy).version == before
    (lab_copy / "driver.py").write_text((lab_copy / "driver.py").read_text() + "\n# changed\n")
    assert load_lab(lab_copy).version != before


def test_mutants_may_be_graded_in_parts(lab_copy, capsys):
    (known,) = (lab_copy / "mutants").glob("*.toml")
    (lab_copy / "mutants" / "z-again.toml").write_text(known.read_text())
    for part in (1, 2):
        assert main(["mutants", str(lab_copy), "--sandbox", "trusted", "--jobs", "1", "--part", f"{part}/2"]) == 0
        said = capsys.readouterr().out
        assert f"1 of 1 mutants killed, part {part} of 2" in said
        assert ("z-again" in said) == (part == 2)


@pytest.mark.parametrize("part", ["0/2", "3/2", "half", "1/0", "-1/2"])
def test_a_part_that_is_none_is_told(lab_copy, capsys, part):
    with pytest.raises(SystemExit) as ended:
        main(["mutants", str(lab_copy), f"--part={part}"])
    assert ended.value.code == 2
    assert "write 2/4 for the second of four" in capsys.readouterr().err
