"""`python -m grader grade | release | mutants | selftest`.

Exit status: 0 done; 1 a fault of ours, a surviving mutant or an open wall; 2 a submission that was refused.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import sys
import tempfile
from pathlib import Path

from .api import grade
from .contract import GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile, Suite
from .lab import Lab, LabError
from .mutants import MutantSource, load_mutants
from .release import release_files, write_release
from .sandbox.base import SandboxUnavailable
from .sandbox.choose import open_sandbox
from .selftest import selftest


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (LabError, SandboxUnavailable, OSError, ValueError) as error:
        _say(f"grader: {error}", error=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m grader", description="Grade a lab from the command line.")
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("grade", help="grade a submission: a notebook, a .py file or a .zip")
    one.add_argument("lab", type=Path)
    one.add_argument("submission", type=Path)
    one.add_argument("--json", action="store_true", help="print the GradeReport as JSON")
    one.add_argument("--suite", choices=[s.value for s in Suite], default=Suite.FULL.value)
    one.set_defaults(run=_grade)
    release = commands.add_parser("release", help="write the student version of a lab")
    release.add_argument("lab", type=Path)
    release.add_argument("out", type=Path)
    release.set_defaults(run=_release)
    mutants = commands.add_parser(
        "mutants", help="grade the solution, the student version and every mutant; print their points"
    )
    mutants.add_argument("lab", type=Path)
    mutants.set_defaults(run=_mutants)
    walls = commands.add_parser(
        "selftest", help="try to get through every wall of a sandbox; exit status 1 if one is open"
    )
    walls.set_defaults(run=_selftest)
    for command in (one, mutants, walls):
        command.add_argument("--sandbox", choices=[k.value for k in SandboxKind], default=SandboxKind.BUBBLEWRAP.value)
        command.add_argument("--allow-approximate-limits", action="store_true")
    for command in (one, mutants):
        command.add_argument("--seed", type=int, default=None, help="repeat an earlier attempt's random inputs")
    return parser


def _grade(arguments: argparse.Namespace) -> int:
    report = _grade_file(arguments, arguments.submission)
    if arguments.json:
        _say(report.to_json().decode())
    elif report.outcome is Outcome.GRADED:
        _print_report(report)
    if report.outcome is Outcome.GRADED:
        return 0
    if not arguments.json:
        _say(report.message, error=True)
    return 2 if report.outcome is Outcome.REFUSED else 1


def _grade_file(arguments: argparse.Namespace, path: Path) -> GradeReport:
    data = path.read_bytes()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    spec = JobSpec(
        job_id="cli",
        lab_path=str(arguments.lab),
        files=(SubmittedFile(path.name, str(path), hashlib.sha256(data).hexdigest()),),
        seed=seed,
        suite=Suite(getattr(arguments, "suite", Suite.FULL.value)),
        sandbox=SandboxKind(arguments.sandbox),
        allow_approximate_limits=arguments.allow_approximate_limits,
    )
    return grade(spec)


def _print_report(report: GradeReport) -> None:
    for note in report.notes:
        _say(f"note: {note}")
    for check in report.checks:
        _say(f"{check.verdict:>12}  {check.score:>5g} / {check.max_score:<4g} task {check.task}  {check.title}")
        if check.message:
            _say(f"{'':>12}  {check.message}")
    _say(
        f"{report.score:g} / {report.max_score:g} points, seed {report.seed}, {report.sandbox}, {report.duration_ms / 1e3:.2f} s"
    )


def _release(arguments: argparse.Namespace) -> int:
    written = write_release(Lab(arguments.lab), arguments.out)
    _say(f"{len(written)} files written to {arguments.out}")
    return 0


def _mutants(arguments: argparse.Namespace) -> int:
    """A table of points by task; a mutant is killed when it loses points in its own task and in no other."""
    lab = Lab(arguments.lab)
    _say(_row("submission", [f"task {task.id}" for task in lab.tasks], "verdict"))
    whole = _points(_grade_bytes(arguments, lab.notebook.read_bytes()), lab)
    _say(
        _row(
            "reference solution", _texts(whole), "full" if whole == {t.id: t.points for t in lab.tasks} else "NOT FULL"
        )
    )
    released = dict(release_files(lab))[lab.settings.entry]
    _say(_row("student version", _texts(_points(_grade_bytes(arguments, released), lab)), "floor"))
    sources = list(load_mutants(lab))
    killed = sum(_mutant_row(arguments, lab, source) for source in sources)
    _say(f"{killed} of {len(sources)} mutants killed")
    return 0 if killed == len(sources) and all(whole[t.id] == t.points for t in lab.tasks) else 1


def _mutant_row(arguments: argparse.Namespace, lab: Lab, source: MutantSource) -> bool:
    points = _points(_grade_bytes(arguments, source.notebook), lab)
    lost = {task.id for task in lab.tasks if points[task.id] < task.points}
    killed = lost == {source.mutant.task}
    _say(
        _row(
            source.name,
            _texts(points),
            f"killed in task {source.mutant.task}" if killed else f"SURVIVES or spills: lost in {lost}",
        )
    )
    return killed


def _grade_bytes(arguments: argparse.Namespace, data: bytes) -> GradeReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "submission.ipynb")
        path.write_bytes(data)
        return _grade_file(arguments, path)


def _selftest(arguments: argparse.Namespace) -> int:
    """A line for each wall; what got through stands below it."""
    sandbox = open_sandbox(SandboxKind(arguments.sandbox), allow_approximate_limits=arguments.allow_approximate_limits)
    _say(f"{sandbox.name}\n{'wall':<28}{'':<6}{'s':>6}   how it is probed")
    is_open = 0
    for finding in selftest(sandbox):
        _say(
            f"{finding.wall.name:<28}{'held' if finding.held else 'OPEN':<6}{finding.seconds:>6.2f}   {finding.wall.how}"
        )
        for line in finding.through:
            _say(f"{'':<28}{line}")
        is_open += not finding.held
    _say("every wall held" if not is_open else f"{is_open} walls are open: no student's code may run here")
    return 1 if is_open else 0


def _points(report: GradeReport, lab: Lab) -> dict[str, float]:
    if report.outcome is not Outcome.GRADED:
        raise LabError(f"a submission of the lab's own was not graded: {report.message}")
    return {task.id: round(sum(c.score for c in report.checks if c.task == task.id), 2) for task in lab.tasks}


def _texts(points: dict[str, float]) -> list[str]:
    return [f"{value:g}" for value in points.values()]


def _row(name: str, cells: list[str], verdict: str) -> str:
    return f"{name:<36}" + "".join(f"{cell:>9}" for cell in cells) + f"   {verdict}"


def _say(text: str, *, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    stream.write(text + "\n")
