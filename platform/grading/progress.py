"""Live progress of a job. It goes through Redis and may be lost at any time: the database holds what counts."""

from __future__ import annotations

from typing import Literal

import msgspec
import structlog

from config import redis
from grader.contract import (
    CheckFinished,
    CheckInfo,
    CheckResult,
    CheckStarted,
    GradingEvent,
    JobStarted,
    Verdict,
)
from grading.line import Place, place_of
from grading.models import GradingJob, Status
from grading.words import label_of, message_of

KEEP_S = 3600
CheckState = Literal["waiting", "running", "passed", "partly", "failed", "error", "unwritten", "hidden"]
log = structlog.get_logger(__name__)


class ProgressCheck(msgspec.Struct, frozen=True):
    """One check as the page marks it. A student sees `hidden` for a hidden one, and `done` once it ran."""

    name: str
    task: str
    title: str
    state: CheckState
    max_score: float
    score: float = 0.0
    hidden: bool = False
    done: bool = False


class ProgressSnapshot(msgspec.Struct, frozen=True):
    """A job at one moment, whole. `version` grows, so a page can tell the newer of two.

    A waiting one has jobs `ahead`, and seconds until it is likely to begin, at most; both are 0 where that would be a guess.
    """

    job_id: int
    status: str
    label: str
    checks: tuple[ProgressCheck, ...] = ()
    done: int = 0
    total: int = 0
    score: float = 0.0
    max_score: float = 0.0
    message: str = ""
    ahead: int = 0
    likely_s: float = 0.0
    at_most_s: float = 0.0
    finished: bool = False
    version: int = 0
    rerun: bool = False  # staff asked for it
    stoppable: bool = True

    def for_student(self) -> ProgressSnapshot:
        """The same without what hidden checks found, and without the button that is not theirs; the running score counts the visible
        checks alone.
        """
        visible = [check for check in self.checks if not check.hidden]
        return msgspec.structs.replace(
            self,
            checks=tuple(_masked(check) if check.hidden else check for check in self.checks),
            score=self.score if self.finished else round(sum(check.score for check in visible), 2),
            stoppable=not self.rerun,
        )


def _masked(check: ProgressCheck) -> ProgressCheck:
    return msgspec.structs.replace(check, state="hidden", score=0.0)


def channel(job_id: int) -> str:
    """Name of the key and of the channel."""
    return f"progress:{job_id}"


def snapshot(job: GradingJob) -> ProgressSnapshot:
    """Where the job stands: from Redis while it runs, from the database otherwise or when Redis is away."""
    if job.status == Status.RUNNING:
        live = _read(job.pk)
        if live is not None and live.version >= job.fence * 1_000_000:
            return live
    return _from_database(job)


def publish(progress: ProgressSnapshot) -> None:
    """Keep the snapshot for newcomers and tell those who watch. Does nothing when Redis is away."""
    client = redis.client()
    if client is None:
        return
    try:
        data = msgspec.json.encode(progress)
        client.set(channel(progress.job_id), data, ex=KEEP_S)
        client.publish(channel(progress.job_id), data)
    except redis.Unavailable as error:
        log.warning("progress_not_published", job=progress.job_id, error=str(error))


def announce(job: GradingJob) -> None:
    """Publish where the database says that the job stands: after it was queued, cancelled or finished."""
    publish(_from_database(job))


def decode(data: bytes) -> ProgressSnapshot:
    """Read a published snapshot."""
    return msgspec.json.decode(data, type=ProgressSnapshot)


class ProgressTracker:
    """Turns the grader's events into snapshots of one claim of a job."""

    def __init__(self, job: GradingJob) -> None:
        self._job_id, self._rerun = job.pk, job.rerun
        self._version = job.fence * 1_000_000
        self._checks: dict[str, ProgressCheck] = {}
        self._message = "Starting the sandbox."

    def start(self) -> None:
        """Say that the job runs."""
        self._publish()

    def on_event(self, event: GradingEvent) -> None:
        """Take one event and publish what follows from it."""
        match event:
            case JobStarted(checks=checks):
                self._checks = {info.name: _waiting(info) for info in checks}
                self._message = "Loading your code."
            case CheckStarted(name=name) if name in self._checks:
                self._checks[name] = msgspec.structs.replace(self._checks[name], state="running")
                self._message = ""
            case CheckFinished(result=result):
                self._checks[result.name] = check_of(result)
        self._publish()

    def _publish(self) -> None:
        self._version += 1
        checks = tuple(self._checks.values())
        publish(
            ProgressSnapshot(
                job_id=self._job_id,
                status=Status.RUNNING,
                label=Status.RUNNING.label,
                checks=checks,
                done=sum(check.done for check in checks),
                total=len(checks),
                score=round(sum(check.score for check in checks), 2),
                max_score=round(sum(check.max_score for check in checks), 2),
                message=self._message,
                version=self._version,
                rerun=self._rerun,
            )
        )


def check_of(result: CheckResult) -> ProgressCheck:
    """A finished check as the page marks it."""
    return ProgressCheck(
        name=result.name,
        task=result.task,
        title=result.title,
        state=state_of(result),
        max_score=result.max_score,
        score=result.score,
        hidden=result.hidden,
        done=True,
    )


def state_of(result: CheckResult) -> CheckState:
    """Full points pass, some are partly, a limit or a crash is an error; a stub that was never filled in is neither."""
    if result.verdict == Verdict.PASSED:
        return "passed" if result.score >= result.max_score else "partly"
    if result.unwritten:
        return "unwritten"
    if result.verdict == Verdict.FAILED:
        return "partly" if result.score > 0 else "failed"
    return "error"


def _waiting(info: CheckInfo) -> ProgressCheck:
    return ProgressCheck(info.name, info.task, info.title, "waiting", info.max_score, hidden=info.hidden)


def _read(job_id: int) -> ProgressSnapshot | None:
    client = redis.client()
    if client is None:
        return None
    try:
        data = client.get(channel(job_id))
    except redis.Unavailable as error:
        log.warning("progress_not_read", job=job_id, error=str(error))
        return None
    return decode(data) if isinstance(data, bytes) else None


def _from_database(job: GradingJob) -> ProgressSnapshot:
    report = job.stored_report.report if job.status == Status.FINISHED else None
    checks = tuple(check_of(result) for result in report.checks) if report else ()
    place = place_of(job) if job.is_active and job.started_at is None else Place(0, None)
    return ProgressSnapshot(
        job_id=job.pk,
        status=job.status,
        label=label_of(job),
        checks=checks,
        done=len(checks),
        total=len(checks),
        score=report.score if report else 0.0,
        max_score=report.max_score if report else 0.0,
        message=message_of(job, report),
        ahead=place.ahead,
        likely_s=place.wait.likely_s if place.wait else 0.0,
        at_most_s=place.wait.at_most_s if place.wait else 0.0,
        finished=not job.is_active,
        version=_version(job),
        rerun=job.rerun,
    )


def _version(job: GradingJob) -> int:
    """Of what the database says: where a claim has ended, later than all that its worker told, and earlier than the next one's word."""
    within = 0 if job.status == Status.RUNNING else 999_998 if job.is_active else 999_999
    return job.fence * 1_000_000 + within
