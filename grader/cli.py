"""`python -m grader grade | release | mutants | selftest`.

Exit status: 0 done; 1 a fault of ours, a surviving mutant or an open wall; 2 a submission that was refused.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .api import grade
from .contract import GradeReport, JobSpec, Outcome, SandboxKind, SubmittedFile, Suite
from .lab import Lab, LabError
from .mutants import MutantSource, load_mutants, task_alone
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
    one.add_argument("--task", action="append", default=[], help="run the checks of this task alone; may be repeated")
    one.set_defaults(run=_grade)
    release = commands.add_parser("release", help="write the student version of a lab")
    release.add_argument("lab", type=Path)
    release.add_argument("out", type=Path)
    release.set_defaults(run=_release)
    mutants = commands.add_parser(
        "mutants", help="grade the solution, the student version and every mutant; print their points"
    )
    mutants.add_argument("lab", type=Path)
    mutants.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="how many run at once")
    mutants.add_argument("--part", type=_part, default=(1, 1), metavar="K/N", help="every Nth mutant, from the Kth on")
    mutants.set_defaults(run=_mutants)
    walls = commands.add_parser(
        "selftest", help="try to get through every wall of a sandbox; exit status 1 if one is open"
    )
    walls.set_defaults(run=_selftest)
    for command in (one, mutants, walls):
        command.add_argument("--sandbox", choices=[k.value for k in SandboxKind], default=SandboxKind.BUBBLEWRAP.value)
        command.add_argument("--allow-approximate-limits", action="store_true")
    for command in (one, mutants):
        command.add_argument("--gpu", action="store_true", help="with the GPU checks of a lab for any device")
        command.add_argument("--seed", type=int, default=None, help="repeat an earlier attempt's random inputs")
    return parser


def _part(text: str) -> tuple[int, int]:
    """`2/4`: the second of four parts."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is no part: write 2/4 for the second of four.")
    return int(part), int(parts)


def _grade(arguments: argparse.Namespace) -> int:
    report = _grade_file(arguments, arguments.submission, tuple(arguments.task))
    if arguments.json:
        _say(report.to_json().decode())
    elif report.outcome is Outcome.GRADED:
        _print_report(report)
    if report.outcome is Outcome.GRADED:
        return 0
    if not arguments.json:
        _say(report.message, error=True)
    return 2 if report.outcome is Outcome.REFUSED else 1


def _grade_file(arguments: argparse.Namespace, path: Path, tasks: tuple[str, ...]) -> GradeReport:
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
        tasks=tasks,
        gpu=arguments.gpu,
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
    """A table of points by task; a mutant is killed when it loses points in its own task.

    That no mutant loses in another task is shown once for all of them: see `grader.mutants`.
    """
    lab = Lab(arguments.lab, gpu=arguments.gpu)
    first, step = arguments.part
    full, sources = {task.id: task.points for task in lab.tasks}, list(load_mutants(lab))[first - 1 :: step]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        whole = pool.submit(_points_of, arguments, lab.notebook.read_bytes())
        floor = pool.submit(_points_of, arguments, dict(release_files(lab))[lab.settings.entry])
        alone = {task: pool.submit(_points_of, arguments, task_alone(lab, task)) for task in full}
        mutants = [pool.submit(_points_of, arguments, one.notebook, (one.mutant.task,)) for one in sources]
        _say(_row("submission", [f"task {task}" for task in full], "verdict"))
        sound = [_verdict_row("reference solution", whole.result(), full, "full", "NOT FULL")]
        _say(_row("student version", _texts(floor.result()), "floor"))
        for task, found in alone.items():
            want = {one: points if one == task else floor.result()[one] for one, points in full.items()}
            sound.append(_verdict_row(f"task {task} alone", found.result(), want, "stands alone", "NEEDS ANOTHER TASK"))
        pairs = zip(sources, mutants, strict=True)
        killed = sum(_mutant_row(one, found.result(), full) for one, found in pairs)
    _say(f"{killed} of {len(sources)} mutants killed" + (f", part {first} of {step}" if step > 1 else ""))
    return 0 if killed == len(sources) and all(sound) else 1


def _verdict_row(name: str, points: dict[str, float], want: dict[str, float], good: str, bad: str) -> bool:
    _say(_row(name, _texts(points), good if points == want else bad))
    return points == want


def _mutant_row(source: MutantSource, points: dict[str, float], full: dict[str, float]) -> bool:
    task = source.mutant.task
    killed = points[task] < full[task]
    cells = [f"{points[one]:g}" if one == task else "" for one in full]
    _say(_row(source.name, cells, f"killed in task {task}" if killed else "SURVIVES"))
    return killed


def _points_of(arguments: argparse.Namespace, data: bytes, tasks: tuple[str, ...] = ()) -> dict[str, float]:
    """Points by task of a notebook of the lab's own."""
    return _points(_grade_bytes(arguments, data, tasks), Lab(arguments.lab, gpu=arguments.gpu))


def _grade_bytes(arguments: argparse.Namespace, data: bytes, tasks: tuple[str, ...]) -> GradeReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "submission.ipynb")
        path.write_bytes(data)
        return _grade_file(arguments, path, tasks)


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
