"""Labs for any device: checks marked `gpu` count where there is a GPU, and are neither run nor counted elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.api import load_lab
from grader.checks.local import has_gpu
from grader.checks.marks import CheckMarks
from grader.cli import main
from grader.contract import Suite
from grader.judge.proxy import JudgeProvider, SandboxedProgram
from grader.judge.suite import CheckSuite
from grader.lab import Lab, LabError
from grader.sandbox.trusted import TrustedSandbox
from tests.support import ADD, SCALE, plain_environment

ROOT = Path(__file__).resolve().parents[2]
FAST = '''

@pytest.mark.points(5)
@pytest.mark.gpu
def test_adds_on_a_gpu(student, rng, expect):
    """adds two arrays where a card is"""
    a = rng.normal(size=3)
    expect.close(student.call("add", a=a, b=a), 2 * a, what="a + b")
'''


@pytest.fixture
def lab(tiny: Path, tmp_path: Path) -> Path:
    """The tiny lab with one check for a GPU, worth 5 points."""
    folder = tmp_path / "any"
    shutil.copytree(tiny, folder)
    settings = (folder / "lab.toml").read_text()
    settings = settings.replace("points = 6", "points = 6\ngpu_points = 5")
    (folder / "lab.toml").write_text(f'device = "any"\n{settings}')
    with (folder / "checks" / "test_add.py").open("a") as file:
        file.write(FAST)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "work.py"
    path.write_text(ADD + SCALE)
    return path


def marks_of(lab: Lab) -> list[CheckMarks]:
    return list(CheckSuite(lab).marks.values())


def test_without_a_gpu_the_check_and_its_points_are_not_there(lab, work, capsys):
    assert main(["grade", str(lab), str(work), "--sandbox", "trusted", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["score"], report["max_score"]) == (10, 10)
    assert [task["points"] for task in report["tasks"]] == [6, 4]
    assert all("card" not in check["title"] for check in report["checks"])
    assert load_lab(lab).max_score == 10
    assert not load_lab(lab).on_gpu


def test_with_one_they_are_and_a_card_that_is_missing_costs_no_other_check(lab, work, capsys):
    assert main(["grade", str(lab), str(work), "--sandbox", "trusted", "--json", "--gpu"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["max_score"] == 15
    assert report["score"] == (15 if has_gpu() else 10)
    assert [task["points"] for task in report["tasks"]] == [11, 4]
    assert load_lab(lab, gpu=True).on_gpu


def test_the_two_are_different_versions_and_a_lab_of_one_device_has_one(lab, tiny):
    assert load_lab(lab).version != load_lab(lab, gpu=True).version
    assert load_lab(tiny).version == load_lab(tiny, gpu=True).version
    assert not Lab(tiny, gpu=True).on_gpu


def test_only_the_marked_check_gets_the_card_and_each_change_of_place_a_fresh_sandbox(lab):
    """The same program is opened without the card for checks that are interpreted, and with it for those that are compiled."""
    chosen = Lab(lab, gpu=True)
    suite = CheckSuite(chosen)
    program = SandboxedProgram(chosen, [], TrustedSandbox(), lambda: False)
    provider = JudgeProvider(chosen, program, program, 1)  # type: ignore[arg-type]
    opened = [(provider.student(item).task, provider.student(item).on_gpu) for item in suite._chosen(Suite.FULL, ())]
    assert opened == sorted(opened), "checks with the card come last in their task"
    assert opened.count(("1", True)) == 1
    assert ("2", True) not in opened


def test_without_walls_too_a_program_that_was_opened_without_the_card_finds_none(lab):
    """Else code that measures where there is a card would measure kernels that are interpreted, for hours."""
    told = "\n\ndef cards(_):\n    import os\n\n    return os.environ.get('CUDA_VISIBLE_DEVICES')\n"
    with (lab / "driver.py").open("a") as file:
        file.write(told)
    program = SandboxedProgram(Lab(lab), [], TrustedSandbox(), lambda: False)
    assert program.call("cards") == ""
    program.close()


def test_all_checks_of_a_gpu_lab_get_the_card(lab):
    text = (
        (lab / "lab.toml")
        .read_text()
        .replace('"any"', '"gpu"')
        .replace("gpu_points = 5", "")
        .replace("points = 6", "points = 11")
    )
    (lab / "lab.toml").write_text(text)
    chosen = Lab(lab)
    suite = CheckSuite(chosen)
    program = SandboxedProgram(chosen, [], TrustedSandbox(), lambda: False)
    provider = JudgeProvider(chosen, program, program, 1)  # type: ignore[arg-type]
    assert all(provider.student(item).on_gpu for item in suite._chosen(Suite.FULL, ()))
    assert sum(marks.points for marks in marks_of(chosen)) == 15


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"any"', '"cpu"', 'gpu_points are for a lab whose device is "any"'),
        ('"any"', '"tpu"', "Invalid enum value 'tpu'"),
        ("gpu_points = 5", "gpu_points = 4", "task 1: its checks give 11 points, lab.toml says 10."),
    ],
)
def test_a_lab_that_contradicts_itself_is_told_where(lab, old, new, told):
    text = (lab / "lab.toml").read_text()
    (lab / "lab.toml").write_text(text.replace(old, new))
    with pytest.raises(LabError, match=told):
        load_lab(lab, gpu=True)


def test_on_a_students_machine_without_a_gpu_the_check_is_skipped_and_says_why(lab, work):
    command = [sys.executable, "-m", "pytest", str(lab / "checks"), "-p", "grader.checks.plugin", "-rs", "-q"]
    command += [f"--submission={work}", "-p", "no:randomly", "-p", "no:cacheprovider"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=plain_environment(), cwd=ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 skipped" in run.stdout
    assert "This check needs a GPU, and there is none here" in run.stdout


@pytest.fixture
def measured(lab: Path) -> Path:
    """The same, with the check for a GPU measured, and its name among the boards."""
    checks = lab / "checks" / "test_add.py"
    checks.write_text(checks.read_text().replace("@pytest.mark.gpu", "@pytest.mark.gpu\n@pytest.mark.measured"))
    settings = (lab / "lab.toml").read_text()
    (lab / "lab.toml").write_text(f'boards = ["test_add::test_adds_on_a_gpu"]\n{settings}')
    return lab


def test_a_board_of_a_gpu_check_is_there_where_the_check_is(measured):
    assert load_lab(measured, gpu=True).boards == ("test_add::test_adds_on_a_gpu",)
    assert load_lab(measured).boards == ()


@pytest.mark.parametrize("name", ["test_add::test_adds", "test_add::test_nothing", "test_add_hidden::test_shapes"])
def test_a_board_is_of_a_measured_check(measured, name):
    text = (measured / "lab.toml").read_text().replace("test_add::test_adds_on_a_gpu", name)
    (measured / "lab.toml").write_text(text)
    with pytest.raises(LabError, match=f"boards names {name}, which is no measured check"):
        load_lab(measured)
