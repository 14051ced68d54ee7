"""`grade` as the worker calls it: cancelling, faults of ours, changed files, reports that travel."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from grader.api import Stopped, grade, reference_submission, sandbox_name
from grader.contract import CheckFinished, GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile, Suite, Verdict
from grader.judge.channel import HELD
from grader.sandbox import bubblewrap, cgroups
from tests.support import ADD, SCALE, leftover_groups, notebook_of


def test_a_job_that_was_cancelled_stops_at_once_and_leaves_nothing(grade_source, walls):
    stop = threading.Event()
    threading.Timer(0.7, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        grade_source("import time\ntime.sleep(60)\n" + ADD, sandbox=walls, should_stop=stop.is_set)
    assert time.monotonic() - started < 4
    assert leftover_groups() == []


def test_a_job_that_was_stopped_between_checks_leaves_nothing_to_the_next(grade_source):
    class Enough(Exception):  # noqa: N818 - no error, an interruption
        pass

    def stop(event):
        if isinstance(event, CheckFinished):
            raise Enough

    with pytest.raises(Enough):
        grade_source(ADD + SCALE, on_event=stop)
    assert grade_source(ADD + SCALE).score == 10


def test_a_report_survives_the_way_through_json(grade_source):
    report = grade_source("def add(a, b):\n    print('x')\n    return a - b\n" + SCALE)
    assert GradeReport.from_json(report.to_json()) == report
    with pytest.raises(msgspec.ValidationError):
        GradeReport.from_json(b'{"outcome": "graded", "score": "all of them"}')


def test_a_stub_is_work_to_do_and_any_other_error_a_mistake(grade_source, walls):
    stub, mistake = (
        "def add(a, b):\n    raise NotImplementedError\n",
        "def add(a, b):\n    raise NotImplementedError('why')\n",
    )
    check = grade_source(stub + SCALE, sandbox=walls).checks[0]
    assert (check.unwritten, check.verdict) == (True, Verdict.ERROR)
    assert check.message == "Not written yet: work.py, line 2 raises NotImplementedError."
    check = grade_source(mistake + SCALE, sandbox=walls).checks[0]
    assert (check.unwritten, check.message) == (False, "NotImplementedError: why at work.py, line 2")


def test_staff_notes_never_reach_a_student(grade_source):
    report = grade_source(ADD + SCALE)
    noted = msgspec.structs.replace(
        report, checks=tuple(msgspec.structs.replace(check, staff_note="looks copied") for check in report.checks)
    )
    for show_hidden in (False, True):
        assert "looks copied" not in noted.for_student(show_hidden=show_hidden).to_json().decode()


def test_a_stored_file_that_changed_is_our_fault_and_not_graded(tiny, tmp_path):
    path = tmp_path / "stored"
    path.write_text(ADD)
    spec = JobSpec("j", str(tiny), (SubmittedFile("work.py", str(path), "0" * 64),), 1, Suite.FULL, SandboxKind.TRUSTED)
    report = grade(spec)
    assert report.outcome is Outcome.GRADER_ERROR
    assert "not the one that was received" in report.message


def test_a_check_that_breaks_is_our_fault_and_costs_the_student_nothing(lab_copy, tmp_path, grade_source):
    check = lab_copy / "checks" / "test_add.py"
    check.write_text(check.read_text().replace("shape = random_shape(rng)", "shape = random_shape(rng) + 'broken'"))
    path = tmp_path / "work.py"
    path.write_text(ADD + SCALE)
    file = SubmittedFile("work.py", str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    report = grade(JobSpec("j", str(lab_copy), (file,), 1, Suite.FULL, SandboxKind.TRUSTED))
    assert report.outcome is Outcome.GRADER_ERROR
    assert "test_add::test_adds broke: TypeError" in report.message


def grade_in(lab, folder, source):
    path = folder / "work.py"
    path.write_text(source)
    file = SubmittedFile("work.py", str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    return grade(JobSpec("j", str(lab), (file,), 1, Suite.FULL, SandboxKind.TRUSTED))


def test_an_answer_that_breaks_a_check_fails_it_and_staff_are_told(lab_copy, tmp_path):
    check = lab_copy / "checks" / "test_add.py"
    check.write_text(
        check.read_text().replace('student.call("add", a=a, b=b), a + b', 'student.call("add", a=a, b=b) * 1.0, a + b')
    )
    report = grade_in(lab_copy, tmp_path, 'def add(a, b):\n    return {"no": "array"}\n' + SCALE)
    broken = report.checks[0]
    assert (report.outcome, broken.verdict, broken.score) == (Outcome.GRADED, Verdict.FAILED, 0)
    assert broken.message == "Your code returned something that this check cannot read."
    assert "TypeError" in broken.staff_note
    assert report.score == 4  # the other task is untouched


def test_a_reference_that_fails_is_our_fault(lab_copy, tmp_path):
    check = lab_copy / "checks" / "test_add.py"
    source = (
        check.read_text()
        .replace("(student, rng", "(student, reference, rng")
        .replace("a + b, what", 'reference.call("nothing"), what')
    )
    check.write_text(source)
    report = grade_in(lab_copy, tmp_path, ADD + SCALE)
    assert report.outcome is Outcome.GRADER_ERROR
    assert "the reference solution failed: AttributeError" in report.message


def test_a_function_that_is_missing_because_its_cell_stopped_is_told_with_the_reason(grade_source):
    report = grade_source(notebook_of("1 / 0\n" + ADD, SCALE), name="w.ipynb")
    assert "your code does not define add. cell 1 stopped with ZeroDivisionError" in report.checks[0].message


def test_whatever_a_student_says_can_be_stored(grade_source, walls):
    odd = "raise ValueError('\\0 \\ud800 \\u202e')"
    report = grade_source(f"def add(a, b):\n    {odd}\n" + SCALE + odd, sandbox=walls)
    assert GradeReport.from_json(report.to_json()) == report
    assert "\0" not in report.checks[0].message
    assert report.checks[0].message.startswith("ValueError")


def test_a_full_disk_and_a_lack_of_network_are_said_in_their_own_words(grade_source, walls):
    fills = "def add(a, b):\n    open('/tmp/x', 'wb').write(bytes(9 << 20))\n    return a + b\n"
    asks = "import urllib.request\ndef scale(a, factor):\n    urllib.request.urlopen('http://192.0.2.1/', timeout=2)\n"
    checks = {check.task: check for check in grade_source(fills + asks, sandbox=walls).checks}
    assert checks["1"].verdict is Verdict.DISK_LIMIT
    assert "more than 8 MB" in checks["1"].message
    assert checks["2"].verdict is Verdict.ERROR
    assert "There is no network here" in checks["2"].message


def test_an_answer_before_its_question_is_held_for_staff(grade_source, walls):
    forges = """
import json, os, stat, struct
def add(a, b):
    head = json.dumps({"message": {"ok": True, "value": 0, "id": 0}, "tensors": []}).encode()
    for descriptor in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode) or stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, struct.pack("!4sIQ", b"GLF1", len(head), 0) + head)
        except OSError:
            pass
    return a + b
"""
    check = grade_source(forges + SCALE, sandbox=walls).checks[0]
    assert (check.verdict, check.message) == (Verdict.TAMPERED, HELD)
    assert "pipe of answers" in check.staff_note


def test_a_program_that_reads_no_more_requests_is_not_waited_for(grade_source):
    """It answers once and leaves the judge a pipe that nobody reads: that would be written to in vain until the time is up."""
    source = f"""{SCALE}
import os, sys
def add(a, b):
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    nobodys, kept = os.pipe()
    os.dup2(nobodys, frame.f_locals["request"])
    return a + b
"""
    first, second, *_ = grade_source(source).checks
    assert (first.verdict, second.verdict) == (Verdict.PASSED, Verdict.ERROR)
    assert second.message == "Your code closed its connection before finishing this check."


def test_a_child_that_returns_answers_nothing(grade_source, walls):
    forks = "import os\ndef add(a, b):\n    return a * 0 if os.fork() == 0 else a + b\n"
    assert grade_source(forks + SCALE, sandbox=walls).score == 10


def test_a_refused_process_is_charged_to_the_check_that_asked_for_it(grade_source, walls):
    bombs = """
import threading, time
def add(a, b):
    threads = [threading.Thread(target=time.sleep, args=(0.3,)) for _ in range(64)]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError:
        pass
    for thread in threads:
        if thread.ident:
            thread.join()
    return a + b
"""
    fails = "def scale(a, factor):\n    raise KeyError('mine')\n"
    report = grade_source(bombs + fails, sandbox=walls)
    assert [c.verdict for c in report.checks if c.task == "1"] == [Verdict.PASSED] * 2
    assert {c.verdict for c in report.checks if c.task == "2"} == {Verdict.ERROR}


def test_a_missing_wall_is_a_refusal_to_grade_and_not_a_silent_pass(grade_source, monkeypatch):
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda _: None)
    report = grade_source(ADD + SCALE, sandbox=SandboxKind.BUBBLEWRAP)
    assert report.outcome is Outcome.GRADER_ERROR
    assert "bubblewrap is not installed" in report.message


def test_limits_that_would_be_approximate_must_be_allowed_by_name(monkeypatch):
    monkeypatch.setattr(bubblewrap, "cgroups_available", lambda: False)
    with pytest.raises(bubblewrap.SandboxUnavailable, match="allow approximate limits by name"):
        bubblewrap.BubblewrapSandbox()
    assert "approximate" in bubblewrap.BubblewrapSandbox(allow_approximate_limits=True).name


def test_one_crash_costs_one_check_and_the_next_gets_a_fresh_program(grade_source, walls):
    source = """
import os
calls = 0
def add(a, b):
    global calls
    calls += 1
    if a.size:
        os.abort()
    return a + b + (calls - 1)
"""
    report = grade_source(source + SCALE, sandbox=walls)
    verdicts = [check.verdict for check in report.checks]
    assert verdicts == [Verdict.ERROR, Verdict.PASSED, Verdict.PASSED, Verdict.PASSED]


def test_a_cell_that_fails_is_told_and_the_rest_still_counts(grade_source):
    report = grade_source(notebook_of(ADD, "import matplotlib.nothing", SCALE), name="w.ipynb")
    assert report.score == 10
    assert "cell 2 stopped with ModuleNotFoundError" in report.notes[0]


def test_a_program_that_replaces_builtins_changes_nothing_but_its_answers(grade_source, walls):
    source = """
import builtins, sys, numpy as np
np.allclose = np.array_equal = np.isclose = lambda *a, **k: True
builtins.all = builtins.any = lambda *a: True
builtins.abs = lambda x: 0
sys.modules["pytest"] = None
class Liar(np.ndarray):
    def __eq__(self, other): return True
def add(a, b): return np.zeros(a.shape)
def scale(a, factor): return np.asarray(a).view(Liar)
"""
    report = grade_source(source, sandbox=walls)
    assert report.score == 2  # arrays without elements are right by luck
    assert "returned a Liar" in report.checks[2].message


def test_a_future_statement_holds_for_the_cells_after_it_as_in_jupyter(grade_source):
    typed = "def add(a: NotDefined, b: NotDefined):\n    return a + b\n"
    report = grade_source(notebook_of("from __future__ import annotations", typed, SCALE), name="w.ipynb")
    assert (report.score, report.notes) == (10, ())
    assert "NameError" in grade_source(notebook_of(typed, SCALE), name="w.ipynb").notes[0]


def test_groups_that_a_killed_worker_left_are_removed_and_new_ones_stay(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    old, new = tmp_path / "pids/gradlab/run-1-2-a", tmp_path / "pids/gradlab/run-1-2-b"
    for group in (old, new):
        group.mkdir(parents=True)
    os.utime(old, (0, 0))
    assert cgroups.remove_leftovers() == 1
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("kept", [False, True])
def test_a_dead_workers_group_goes_at_once_and_a_living_ones_stays(monkeypatch, tmp_path, kept):
    owner = subprocess.Popen(["sleep", "60"])
    try:
        if not kept:
            owner.kill()
            owner.wait()
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        group = tmp_path / f"pids/gradlab/run-{owner.pid}-{namespace}-abc"
        group.mkdir(parents=True)
        monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
        assert cgroups.remove_leftovers() == (0 if kept else 1)
        assert group.exists() is kept
    finally:
        owner.kill()
        owner.wait()


@pytest.mark.parametrize("owner_lives", [False, True])
def test_what_a_killed_worker_left_running_is_ended(monkeypatch, tmp_path, owner_lives):
    owner = subprocess.Popen(["sleep", "60"])
    if not owner_lives:
        owner.kill()
        owner.wait()
    left = subprocess.Popen(["sleep", "60"])
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    group = tmp_path / f"pids/gradlab/run-{owner.pid}-{namespace}-abc"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(f"{left.pid}\n")
    os.utime(group, (0, 0))
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    cgroups.remove_leftovers()
    try:
        if owner_lives:
            assert left.poll() is None
        else:
            assert left.wait(timeout=5) == -signal.SIGKILL
    finally:
        for process in (owner, left):
            process.kill()
            process.wait()


def test_the_reference_solution_is_a_submission_that_gets_every_point(tiny):
    spec = JobSpec("canary", str(tiny), (reference_submission(tiny),), seed=5, sandbox=SandboxKind.TRUSTED)
    report = grade(spec)
    assert (report.outcome, report.score) == (Outcome.GRADED, report.max_score)
    assert report.sandbox == sandbox_name(SandboxKind.TRUSTED)


def test_a_worker_that_is_told_to_end_while_a_check_runs_judges_nobody(grade_source):
    """Celery ends its processes by an exception out of a signal, which comes up wherever they are: here, in a check."""
    with pytest.raises(SystemExit):
        grade_source(f"{ADD}\n{SCALE}", should_stop=lambda: sys.exit(1))
    assert grade_source(f"{ADD}\n{SCALE}").score == 10
