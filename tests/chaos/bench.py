"""Tries one case on a site and says what is wrong with how that went; the test and the table both ask here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

from .cases import Case, Moment
from .oracle import Job
from .site import LEASE_S, Site
from .student import LARGE, QUICK, SLOW, Answer, Student

STUCK_S = LEASE_S + 60.0  # what the product promises
CANARY_S = 60.0
LEFT_S = 10.0
FULL = [("graded", 10.0, 10.0)]


@dataclass
class Attempt:
    """How a case went. `problems` is empty when all is as it should be."""

    wait_s: float = 0.0
    job: Job | None = None
    reports: int = 0
    canary: float = 0.0
    left: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Bench:
    """One site. After each case it is whole again, or the next one would tell of the last."""

    def __init__(self, site: Site) -> None:
        self._site = site
        assert self._canary() == 10.0, f"the site does not grade at all:\n{site.log('worker')}"

    def attempt(self, case: Case) -> Attempt:
        """Let the fault strike, wait for the grade, look around, and grade the reference solution."""
        made = Attempt()
        email, student = self._site.student()
        with student:
            act = self._while_handing_in if case.moment is Moment.HAND_IN else self._later
            submission = act(case, email, student, made)
        if submission is not None:
            made.problems += self._graded(case, submission, made)
        made.canary = self._canary()
        if made.canary != 10.0:
            made.problems.append(f"the reference solution got {made.canary:g} of 10 points afterwards")
        made.left = self._site.orphans.found(LEFT_S)
        made.problems += [f"left behind: {left}" for left in made.left]
        if submission is not None:
            made.problems += self._once_more(submission, email, made)
        return made

    def _later(self, case: Case, email: str, student: Student, made: Attempt) -> int | None:
        """Hand in, wait for the moment, strike."""
        if case.moment is Moment.WAITING:
            self._site.pause("worker")
        self._site.hold(case.moment is Moment.REPORTED)
        accepted = student.hand_in(SLOW if case.moment is Moment.RUNNING else QUICK)
        if accepted.submission is None:
            made.problems.append(f"not accepted on a good day: {accepted.status}")
        elif not self._has_come(case.moment, accepted.submission):
            made.problems.append("the moment did not come")
        with case.fault(self._site):
            self._site.resume("worker")
            self._site.hold(False)
            if case.asks_the_web:
                made.problems += _without_a_sentence(student.look())
        return accepted.submission

    def _has_come(self, moment: Moment, submission: int) -> bool:
        """Wait until the submission is where the case wants it."""
        site = self._site
        if moment is Moment.WAITING:
            return site.oracle.jobs(submission)[0].started_at is None
        if moment is Moment.REPORTED:
            return site.until(lambda: site.oracle.reports(submission), 30)
        begun = site.until(lambda: site.oracle.jobs(submission)[0].started_at, 30)
        return begun and site.until(lambda: site.orphans.runs() or site.orphans.containers(), 10)

    def _while_handing_in(self, case: Case, email: str, student: Student, made: Attempt) -> int | None:
        """Press *Submit* while the fault is on, and once more when it is over: the same page is one submission."""
        answers: list[Answer] = []
        source = LARGE if case.large else QUICK
        pressed = Thread(target=lambda: answers.append(student.hand_in(source)))
        if case.what.startswith("kill"):
            pressed.start()
            time.sleep(0.1)
        with case.fault(self._site):
            if pressed.ident is None:
                pressed.start()
                pressed.join()
        pressed.join()
        first = answers[0]
        if first.submission is None and first.status:
            made.problems += _without_a_sentence(first)
            if self._site.oracle.submissions(email):
                made.problems.append("refused, and stored all the same")
        second = student.hand_in(source)
        if second.submission is None:
            made.problems.append(f"not accepted when all was well again: {second.status}")
        return second.submission

    def _graded(self, case: Case, submission: int, made: Attempt) -> Iterator[str]:
        """One report with every point, in time."""
        started, oracle = time.monotonic(), self._site.oracle
        done = self._site.until(lambda: _has_ended(oracle.jobs(submission)), STUCK_S)
        made.wait_s = time.monotonic() - started
        jobs = oracle.jobs(submission)
        made.job = jobs[-1]
        if not done:
            yield f"stuck for {made.wait_s:.0f} s: {made.job}"
        if len(jobs) != 1 or made.job.failed_at or made.job.cancelled_at or made.job.lease_until:
            yield f"not one finished job: {jobs}"
        if case.once and made.job.fence != 1:
            yield f"claimed {made.job.fence} times"

    def _once_more(self, submission: int, email: str, made: Attempt) -> Iterator[str]:
        """At the end, when every late message has come: one submission, one report, and its file."""
        oracle = self._site.oracle
        reports = oracle.reports(submission)
        made.reports = len(reports)
        if reports != FULL:
            yield f"expected one report with 10 of 10 points, found {reports}"
        if oracle.jobs(submission)[-1] != made.job:
            yield f"changed after it had ended: {oracle.jobs(submission)[-1]}"
        if oracle.submissions(email) != [submission]:
            yield f"handed in once, stored as {oracle.submissions(email)}"
        stored = {path.name for path in self._site.files.glob("??/??/*")}
        if missing := oracle.files() - stored:
            yield f"rows without their file: {missing}"

    def _canary(self) -> float:
        """The reference solution's points, from a student of its own."""
        _, student = self._site.student()
        with student:
            submission = student.hand_in(QUICK).submission
        if submission is None or not self._site.until(lambda: self._site.oracle.reports(submission), CANARY_S):
            return -1.0
        return self._site.oracle.reports(submission)[0][1]


def _has_ended(jobs: list[Job]) -> bool:
    return all(job.finished_at or job.failed_at or job.cancelled_at for job in jobs)


def _without_a_sentence(answer: Answer) -> Iterator[str]:
    if not (answer.status == 200 or answer.is_a_sentence):
        yield f"the site answered {answer.status} and no sentence that helps: {answer.text[:200]!r}"
