"""Tries one case on a site and says what is wrong with how that went; the test and the table both ask here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from threading import Thread

from deploy.stack import StackError

from .cases import Case, Moment
from .oracle import Job
from .site import LAB, LEASE_S, Site
from .student import Answer, Student, Work, large, quick, slow

STUCK_S = LEASE_S + 60.0  # what the product promises
CANARY_S = 60.0
LEFT_S = 10.0
FULL = [("graded", 10.0, 10.0)]
REFERENCE = ("notebook.ipynb", (LAB / "notebook.ipynb").read_bytes())


@dataclass(frozen=True)
class Accepted:
    """A submission that somebody has a receipt for."""

    submission: int
    email: str


@dataclass
class Attempt:
    """How a case went; of several submissions, the last one's numbers. `problems` is empty when all is as it should be.

    `wait_s` is counted from the moment when what had died ran again.
    """

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
        try:
            self._attempt(case, made)
        except StackError as error:
            made.problems.append(str(error)[:600])
        made.problems += [f"{name} ended by itself" for name in self._site.revive()]
        return made

    def _attempt(self, case: Case, made: Attempt) -> None:
        accepted = self._while_handing_in(case, made) if case.moment is Moment.HAND_IN else self._later(case, made)
        mended = time.monotonic()
        jobs = {one: self._ended(one, made) for one in accepted}
        made.wait_s = time.monotonic() - mended
        self._site.right_the_clocks()
        made.canary = self._canary()
        if made.canary != 10.0:
            made.problems.append(f"the reference solution got {made.canary:g} of 10 points afterwards")
        made.left = self._site.orphans.found(LEFT_S)
        made.problems += [f"left behind: {left}" for left in made.left]
        for one, job in jobs.items():
            made.problems += self._against_the_promise(case, one, job, made)

    def _later(self, case: Case, made: Attempt) -> list[Accepted]:
        """Hand in, wait for the moment, strike."""
        site, waiting = self._site, case.moment is Moment.WAITING
        if waiting:
            site.pause("worker")
        site.hold(case.moment is Moment.REPORTED)
        with ExitStack() as stack:
            # a worker that stands still has asked for one message already; the second one lies in the queue
            students = [stack.enter_context(site.student()) for _ in range(1 + waiting)]
            make = slow if case.moment is Moment.RUNNING else quick
            accepted = [self._hand_in(student, make()) for student in students]
            if not self._has_come(case.moment, accepted[-1].submission):
                made.problems.append("the moment did not come")
            with case.fault(site):
                site.resume("worker")
                site.hold(False)
                if case.asks_the_web:
                    made.problems += _without_a_sentence(students[-1].look())
        return accepted

    def _hand_in(self, student: Student, work: Work) -> Accepted:
        answer = student.hand_in(work)
        assert answer.submission, f"not accepted on a good day: {answer}"
        return Accepted(answer.submission, student.email)

    def _has_come(self, moment: Moment, submission: int) -> bool:
        """Wait until the submission is where the case wants it."""
        site = self._site
        if moment is Moment.WAITING:
            return site.oracle.jobs(submission)[0].started_at is None
        if moment is Moment.REPORTED:
            return site.until(lambda: site.oracle.reports(submission), 30)
        begun = site.until(lambda: site.oracle.jobs(submission)[0].started_at, 30)
        return begun and site.until(lambda: site.orphans.runs() or site.orphans.containers(), 10)

    def _while_handing_in(self, case: Case, made: Attempt) -> list[Accepted]:
        """Press *Submit* while the fault is on, and once more when it is over: the same page is one submission."""
        make, answers = large if case.large else quick, list[Answer]()
        work = make()
        with self._site.student() as earlier, self._site.student() as student:
            self._hand_in(
                earlier, make()
            )  # on a good day; afterwards the web knows which folder is for temporary files
            pressed = Thread(target=lambda: answers.append(student.hand_in(work)))
            if case.what.startswith("kill"):
                pressed.start()
                time.sleep(0.1)
            with case.fault(self._site):
                if pressed.ident is None:
                    pressed.start()
                pressed.join()
            made.problems += self._half_done(answers[0], student)
            if case.needs_root and answers[0].submission:
                made.problems.append("there was room after all: the fault was not felt")
            second = student.hand_in(work)
        if second.submission is None:
            made.problems.append(f"not accepted when all was well again: {second}")
            return []
        return [Accepted(second.submission, student.email)]

    def _half_done(self, answer: Answer, student: Student) -> Iterator[str]:
        """A refusal is a sentence, and stores nothing."""
        if answer.submission is None and answer.status:
            yield from _without_a_sentence(answer)
            if stored := self._site.oracle.submissions(student.email):
                yield f"refused, and stored all the same: {stored}"

    def _ended(self, one: Accepted, made: Attempt) -> Job:
        """The job when it has ended, or when it ought to have."""
        oracle = self._site.oracle
        if not self._site.until(lambda: _has_ended(oracle.jobs(one.submission)[-1]), STUCK_S):
            made.problems.append(f"stuck for {STUCK_S:.0f} s")
        made.job = oracle.jobs(one.submission)[-1]
        return made.job

    def _against_the_promise(self, case: Case, one: Accepted, job: Job, made: Attempt) -> Iterator[str]:
        """One submission, one finished job, one report with every point, and the file; also when every late message has come."""
        oracle = self._site.oracle
        # a message that the sweeper was about to send when the job ended is counted, and refused by the claim
        jobs = [replace(found, messages=job.messages) for found in oracle.jobs(one.submission)]
        if jobs != [job] or not job.finished_at or job.lease_until:
            yield f"not one finished job: {jobs}, was {job}"
        if case.once and job.fence != 1:
            yield f"claimed {job.fence} times"
        reports = oracle.reports(one.submission)
        made.reports = len(reports)
        if reports != FULL:
            yield f"expected one report with 10 of 10 points, found {reports}"
        if oracle.submissions(one.email) != [one.submission]:
            yield f"handed in once, stored as {oracle.submissions(one.email)}"
        stored = {path.name for path in self._site.files.glob("??/??/*")}
        if missing := oracle.files() - stored:
            yield f"rows without their file: {missing}"

    def _canary(self) -> float:
        """The reference solution's points, from a student of its own."""
        with self._site.student() as student:
            submission = student.hand_in(REFERENCE).submission
        if submission is None or not self._site.until(lambda: self._site.oracle.reports(submission), CANARY_S):
            return -1.0
        return self._site.oracle.reports(submission)[0][1]


def _has_ended(job: Job) -> bool:
    return bool(job.finished_at or job.failed_at or job.cancelled_at)


def _without_a_sentence(answer: Answer) -> Iterator[str]:
    if not (answer.status == 200 or answer.is_a_sentence):
        yield f"the site answered {answer.status} and no sentence that helps: {answer.text[:200]!r}"
