"""The grader's front door: the platform and the command line call these functions and nothing else of the grader."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from .banned import with_staff_notes
from .contract import (
    CheckFinished,
    CheckResult,
    CheckStarted,
    GradeReport,
    GradingEvent,
    JobSpec,
    JobStarted,
    LabSummary,
    Outcome,
    Refusal,
    SandboxKind,
    SubmittedFile,
    Suite,
)
from .inside.version import version as grader_version
from .judge.channel import Stopped
from .judge.gpu import one_run_at_a_time
from .judge.proxy import JudgeProvider, ReferenceProgram, SandboxedProgram
from .judge.scoring import GraderFault, refused, total
from .judge.suite import CheckSuite, load_suite
from .lab import Lab, LabError
from .notebook import NotebookCell, editor_cells, student_version, with_sources, write_notebook
from .papers.check import check_format
from .release import release_zip
from .sandbox.base import Sandbox, SandboxUnavailable
from .sandbox.bubblewrap import close_warm_servers
from .sandbox.choose import open_sandbox
from .sandbox.docker import close_warm_containers
from .selftest import selftest
from .upload import lab_notebook, read_submission

__all__ = [
    "GraderFault",
    "LabError",
    "NotebookCell",
    "SandboxUnavailable",
    "Stopped",
    "check_format",
    "check_upload",
    "close_sandboxes",
    "grade",
    "grader_version",
    "load_lab",
    "notebook_cells",
    "notebook_from_cells",
    "open_walls",
    "reference_submission",
    "remove_leftovers",
    "sandbox_name",
    "student_release_zip",
]


def load_lab(path: Path, *, gpu: bool = False) -> LabSummary:
    """A labs/ folder as the platform publishes it; raises `LabError` naming what is wrong with it.

    `gpu`: whether there is a worker with one, so that a lab for any device has its GPU checks and their points.
    """
    lab = Lab(path, gpu=gpu)
    limits, suite = lab.settings.limits, load_suite(lab)
    wall = sum(marks.limits.get("wall_s", limits.wall_s) for marks in suite.marks.values())
    return LabSummary(
        slug=lab.settings.slug,
        title=lab.settings.title,
        version=lab.version,
        tasks=lab.tasks,
        accepts=lab.settings.accepts,
        handout=lab.handout,
        max_wall_s=wall + 2 * limits.load_s * len(lab.tasks),
        checks=tuple(suite.infos(Suite.FULL)),
        on_gpu=lab.on_gpu,
        boards=suite.boards,
    )


def check_upload(lab_path: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """Whether these files could be graded; raises `Refusal` with a sentence. Nothing is run."""
    read_submission(Lab(lab_path), files)


def notebook_cells(lab_path: Path) -> list[NotebookCell]:
    """The student version of the lab's notebook, cell by cell, for the editor."""
    return editor_cells(student_version(lab_notebook(Lab(lab_path))))


def notebook_from_cells(lab_path: Path, sources: dict[str, str]) -> bytes:
    """The student's .ipynb made of the lab's student version and the editor's sources by cell key."""
    edited = with_sources(student_version(lab_notebook(Lab(lab_path))), sources)
    return write_notebook(edited)


def student_release_zip(lab_path: Path) -> bytes:
    """The student version as a zip: notebook without solutions, handout, driver, public checks and what runs them."""
    return release_zip(Lab(lab_path))


def reference_submission(lab_path: Path) -> SubmittedFile:
    """The instructor's notebook, as if it had been handed in."""
    notebook = Lab(lab_path).notebook
    return SubmittedFile(notebook.name, str(notebook), hashlib.sha256(notebook.read_bytes()).hexdigest())


def sandbox_name(kind: SandboxKind, *, allow_approximate_limits: bool = False) -> str:
    """The sandbox as reports name it; raises `SandboxUnavailable` where it cannot be built here."""
    return open_sandbox(kind, allow_approximate_limits=allow_approximate_limits).name


def open_walls(kind: SandboxKind, *, allow_approximate_limits: bool = False) -> list[str]:
    """Clean up what killed workers left, then try every wall of the sandbox; a sentence for each that is open.

    Raises `SandboxUnavailable` where the sandbox cannot be built here.
    """
    if kind is SandboxKind.TRUSTED:
        return ["The sandbox `trusted` has no walls: it is for the instructor's own code and never for students'."]
    sandbox = open_sandbox(kind, allow_approximate_limits=allow_approximate_limits)
    sandbox.remove_leftovers()
    try:
        return [f"{found.wall.name}: {'; '.join(found.through)}" for found in selftest(sandbox) if not found.held]
    finally:
        close_sandboxes()


def remove_leftovers(kind: SandboxKind, *, allow_approximate_limits: bool = False) -> int:
    """Remove what killed processes of this host left; returns how many things. Raises `SandboxUnavailable` where nothing can be built."""
    return open_sandbox(kind, allow_approximate_limits=allow_approximate_limits).remove_leftovers()


def close_sandboxes() -> None:
    """End what waits for the next run in this process: warm servers and warm containers. A worker process calls it as it ends."""
    close_warm_servers()
    close_warm_containers()


def grade(
    spec: JobSpec,
    on_event: Callable[[GradingEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> GradeReport:
    """Grade one submission.

    `on_event` is told of each check as it starts and ends. `should_stop` is asked every 50 ms while student code runs; once it says
    so, `Stopped` is raised and everything that the submission started is gone. Faults of ours come back as a report with the
    outcome *grader error*, a submission that cannot be run as one with the outcome *refused*.
    """
    started = time.perf_counter()
    lab = Lab(Path(spec.lab_path), gpu=spec.gpu)
    max_score = round(sum(task.points for task in lab.tasks), 2)
    try:
        sandbox = open_sandbox(spec.sandbox, allow_approximate_limits=spec.allow_approximate_limits)
        cells = read_submission(lab, _read_files(spec))
        suite = load_suite(lab)
        rules = lab.settings.banned_operations
        submission = SandboxedProgram(lab, cells, sandbox, should_stop, rules)
        with one_run_at_a_time(on_gpu=lab.on_gpu):
            results = _run(suite, submission, _reference(lab, sandbox, should_stop), spec, on_event)
        results = with_staff_notes(rules, cells, results)
    except Refusal as refusal:
        return refused(str(refusal), spec.seed, max_score, lab.settings.slug, lab.version)
    except (GraderFault, SandboxUnavailable, LabError) as fault:
        report = refused(str(fault), spec.seed, max_score, lab.settings.slug, lab.version)
        return msgspec.structs.replace(report, outcome=Outcome.GRADER_ERROR)
    return GradeReport(
        outcome=Outcome.GRADED,
        score=total(results),
        max_score=round(sum(result.max_score for result in results), 2),
        seed=spec.seed,
        checks=tuple(results),
        tasks=lab.tasks,
        lab=lab.settings.slug,
        lab_version=lab.version,
        suite=spec.suite,
        notes=tuple(submission.notes),
        sandbox=sandbox.name,
        duration_ms=round((time.perf_counter() - started) * 1e3, 1),
    )


def _run(
    suite: CheckSuite,
    submission: SandboxedProgram,
    reference: ReferenceProgram,
    spec: JobSpec,
    on_event: Callable[[GradingEvent], None],
) -> list[CheckResult]:
    on_event(JobStarted(tuple(suite.infos(spec.suite, spec.tasks))))
    results: list[CheckResult] = []
    try:
        provider = JudgeProvider(suite.lab, submission, reference, spec.seed)
        for step in suite.run(spec.suite, provider, submission.take_output, spec.tasks):
            if isinstance(step, CheckResult):
                results.append(step)
                on_event(CheckFinished(step))
            else:
                on_event(CheckStarted(step.name))
    finally:
        submission.close()
        reference.close()
    return results


def _reference(lab: Lab, sandbox: Sandbox, should_stop: Callable[[], bool]) -> ReferenceProgram:
    """The instructor's solution behind the same walls, so that both sides of a measured ratio pay the same price."""
    cells = read_submission(lab, [(lab.notebook.name, lab.notebook.read_bytes())])
    return ReferenceProgram(lab, cells, sandbox, should_stop)


def _read_files(spec: JobSpec) -> list[tuple[str, bytes]]:
    """The stored bytes, checked against their hash: what is graded is what was received."""
    files = []
    for file in spec.files:
        data = Path(file.path).read_bytes()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise GraderFault(f"the stored file {file.name} is not the one that was received")
        files.append((file.name, data))
    return files
