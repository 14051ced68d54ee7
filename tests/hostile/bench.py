"""Grades one case in one sandbox and says what is wrong with how that went; the test and the table both ask here."""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grader.api import close_sandboxes
from grader.contract import CheckResult, GradeReport, Outcome, SandboxKind, Verdict

from .cases import Case
from .control import Control, grade_file
from .host import UNSEEN, Host
from .leftovers import Leftovers

SLOWER = 1.5  # a canary may take this much longer than before anything hostile ran
TRIES = 8  # other work on the machine slows a canary too; what a submission left does so each time
JUDGE_CPU_S, JUDGE_MB = 3.0, 256  # what one submission may cost the judge's own process
CAME_THROUGH = "CAME THROUGH"  # what a submission prints when a wall did not hold
GRADERS_FRAMES = ("/gradlab/", "grader/", "Traceback (most recent", 'File "')


@dataclass
class Attempt:
    """How a case went. `problems` is empty when all is as it should be."""

    got: str
    seconds: float
    canary: float
    report: GradeReport
    problems: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class Bench:
    """One sandbox, and how long the reference solution takes in it."""

    def __init__(self, kind: SandboxKind, host: Host) -> None:
        self.kind, self._host = kind, host
        self._stored = host.folder / f"stored-{kind.value}"
        self._image = _own_tag() if kind is SandboxKind.DOCKER else ""
        self._leftovers = Leftovers(self._image)
        self._control: Control | None = None
        self._canary()  # the first one warms up
        self.baseline = statistics.median(self._canary()[1] for _ in range(5))
        self._leftovers.settle()

    def close(self) -> list[str]:
        """End what waits for a next run; returns what is still there then."""
        if self._control:
            self._control.close()
        close_sandboxes()
        left = self._leftovers.at_the_end()
        if self._image:
            subprocess.run(["docker", "rmi", self._image], capture_output=True, check=False)
        return left

    def attempt(self, case: Case) -> Attempt:
        """Grade it, look around, and grade the reference solution."""
        name, data = case.file(self._host.lab, self._host.places)
        self._stored.write_bytes(data)
        cpu, memory, started = time.process_time(), _peak_mb(), time.monotonic()
        report = self._grade(name, self._stored)
        attempt = Attempt(_got(case, report), time.monotonic() - started, 0.0, report)
        attempt.problems += against_header(case, report)
        attempt.problems += [*leaks(report, self._host), *self._host.visitors()]
        if time.process_time() - cpu > JUDGE_CPU_S:
            attempt.problems.append(f"the judge itself worked for {time.process_time() - cpu:.1f} s")
        if _peak_mb() - memory > JUDGE_MB:
            attempt.problems.append(f"the judge itself grew by {_peak_mb() - memory:.0f} MB")
        attempt.left = self._leftovers.found()
        attempt.problems += [f"left behind: {left}" for left in attempt.left]
        attempt.problems += self._canary_problems(attempt)
        return attempt

    def _canary_problems(self, attempt: Attempt) -> list[str]:
        """Full points, in 1.5 × the time of before or, where the machine has become slower, of an untouched judge beside it."""
        times: list[float] = []
        beside: list[float] = []
        while len(times) < TRIES:
            report, seconds = self._canary()
            times.append(seconds)
            said = [
                f"{report.score:g} points: {check.message}" for check in report.checks if check.score < check.max_score
            ]
            said += [report.message] if report.outcome is not Outcome.GRADED else []
            attempt.canary = min(times)
            if not said and attempt.canary <= SLOWER * max(self.baseline, min(beside, default=0.0)):
                return []
            beside.append(self._beside())
        if said:
            return [f"the reference solution afterwards: {line}" for line in said]
        return [
            f"the reference solution takes {attempt.canary:.2f} s, before {self.baseline:.2f} s, elsewhere {min(beside):.2f} s"
        ]

    def _beside(self) -> float:
        """How long the untouched judge takes just now; it is started when it is first asked."""
        if self._control is None:
            self._control = Control(self._host.lab, self.kind)
            self._leftovers.control = self._control.pid
        return self._control.seconds()

    def _canary(self) -> tuple[GradeReport, float]:
        started = time.monotonic()
        report = self._grade("notebook.ipynb", self._host.lab / "notebook.ipynb")
        return report, time.monotonic() - started

    def _grade(self, name: str, path: Path) -> GradeReport:
        image = {"GRADLAB_RUNNER_IMAGE": self._image} if self._image else {}
        with self._host.judging(**image):
            return grade_file(self._host.lab, name, path, self.kind)


def _own_tag() -> str:
    """A second name for the runner image, so that this session's containers can be told from others'."""
    image = os.environ.get("GRADLAB_RUNNER_IMAGE", "gradlab-runner:cpu")
    own = f"gradlab-runner:hostile-{os.getpid()}"
    subprocess.run(["docker", "tag", image, own], check=True, capture_output=True)
    return own


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _got(case: Case, report: GradeReport) -> str:
    if report.outcome is Outcome.REFUSED:
        return Verdict.REJECTED.value
    return report.outcome.value if report.outcome is Outcome.GRADER_ERROR else _attacked(case, report).verdict.value


def _attacked(case: Case, report: GradeReport) -> CheckResult:
    """The check that the case is about; of several, the one that got the verdict."""
    named = [check for name in case.checks for check in report.checks if check.name.endswith(f"::test_{name}")]
    return next((check for check in named if check.verdict.value in case.verdicts), named[0])


def against_header(case: Case, report: GradeReport) -> Iterator[str]:
    """Verdict, message, output and score against the header's."""
    got = _got(case, report)
    check = _attacked(case, report) if report.outcome is Outcome.GRADED else None
    message = check.message if check else report.message
    if got not in case.verdicts:
        yield f"expected {' or '.join(case.verdicts)}, got {got}: {message}"
    if not re.search(case.message, message):
        yield f"expected a message like {case.message!r}, got {message!r}"
    if case.output and not (check and re.search(case.output, check.output)):
        yield f"expected output like {case.output!r}, got {check.output[-300:] if check else ''!r}"
    if report.score != case.score:
        lost = [f"{c.name}: {c.verdict} {c.score:g}/{c.max_score:g} {c.message}" for c in report.checks]
        yield f"expected {case.score:g} points, got {report.score:g}: {'; '.join(lost)}"


def leaks(report: GradeReport, host: Host) -> Iterator[str]:
    """What no report may say, whatever a submission did."""
    try:
        stored = report.to_json().decode()
    except UnicodeEncodeError as error:
        yield f"the report cannot be stored: {error}"
        return
    told = report.for_student(show_hidden=False).to_json().decode()
    texts = list(_texts(json.loads(stored)))
    yield from (f"planted secret in: {text[:200]!r}" for text in texts if host.token in text)
    yield from (f"path of this machine in: {text[:300]!r}" for text in texts if any(p in text for p in host.paths))
    yield from (f"a wall did not hold: {text[-300:]!r}" for text in texts if CAME_THROUGH in text)
    yield from (f"NUL in: {text[:100]!r}" for text in texts if "\0" in text)
    said = [report.message, *report.notes, *(check.message for check in report.checks)]
    yield from (f"a frame of the grader in: {text!r}" for text in said if any(f in text for f in GRADERS_FRAMES))
    if UNSEEN in told:
        yield "hidden inputs in what the student is shown"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
