"""Every entry of a board comes from a run of ours: asked for by the sweep, on inputs that nobody has seen, and read when it ends.

What a submission's own report measured is a reason to look, and never an entry. A lab that gets a new version has its boards proved anew,
so that all entries of a board are of one version.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from assignments.models import Lab
from config import clock
from grader.contract import CheckResult, GradeReport, Measurement, Verdict
from grading.models import GradingJob, Status
from grading.selectors import finished_report, jobs_of
from grading.services import request_trials
from reviews.boards.models import BoardMember, BoardProof, BoardResult
from reviews.boards.places import Interval, better
from submissions.models import Submission

BATCH = 50


def drive_proofs() -> None:
    """Take over what our runs measured, then ask for runs of what was handed in since."""
    for proof in _ended()[:BATCH]:
        _settle(proof)
    for submission in _unseen()[:BATCH]:
        _look_at(submission)


def measured(report: GradeReport, lab: Lab) -> Iterator[tuple[CheckResult, Measurement]]:
    """The checks with a board that this report passed, with what they measured."""
    for check in report.checks:
        if check.name in lab.summary.boards and check.verdict is Verdict.PASSED and check.measurement is not None:
            yield check, check.measurement


def _ended() -> QuerySet[BoardProof]:
    ended = GradingJob.objects.ended()
    proofs = BoardProof.objects.filter(settled_at=None, job__in=ended)
    return proofs.select_related("job__stored_report", "lab")


@transaction.atomic
def _settle(proof: BoardProof) -> None:
    """Once: the row is taken first, so that of two sweeps one writes."""
    if not BoardProof.objects.filter(pk=proof.pk, settled_at=None).update(settled_at=clock.now()):
        return
    assert proof.job is not None  # only those with a run are asked for
    report = finished_report(proof.job)
    if report is not None:
        BoardResult.objects.bulk_create(_result(proof, *found) for found in measured(report, proof.lab))


def _result(proof: BoardProof, check: CheckResult, found: Measurement) -> BoardResult:
    return BoardResult(
        proof=proof,
        check_name=check.name,
        what=found.name,
        unit=found.unit,
        value=found.value,
        low=found.low,
        high=found.high,
        samples=found.samples,
        less_is_better=found.full_at < found.zero_at,
    )


def _unseen() -> QuerySet[Submission]:
    """Submissions of members that were not looked at under their lab's present version, one at a time for each member."""
    seen = BoardProof.objects.filter(submission=OuterRef("pk"), lab=OuterRef("assignment__lab"))
    running = BoardProof.objects.filter(
        member__enrollment=OuterRef("enrollment"), member__assignment=OuterRef("assignment"), settled_at=None
    )
    graded = GradingJob.objects.counting().filter(submission=OuterRef("pk"), finished_at__isnull=False)
    members = Submission.objects.filter(enrollment__board_names__assignment=F("assignment"))
    found = members.filter(~Exists(seen), ~Exists(running), Exists(graded)).exclude(assignment__lab=None)
    return found.select_related("assignment__lab").order_by("pk")


def _look_at(submission: Submission) -> None:
    """Ask for a run where the submission's report promises something better than what is proved; note that it was looked at."""
    lab = submission.assignment.lab
    assert lab is not None  # others are not asked for
    member = BoardMember.objects.filter(
        assignment=submission.assignment_id, enrollment=submission.enrollment_id
    ).first()
    graded = jobs_of([submission.pk])[submission.pk].graded
    if member is None or member.proofs.filter(settled_at=None).exists():
        return
    try:
        with transaction.atomic():
            job = None
            if graded is not None and _promises(member, graded.job, lab):
                (job,) = request_trials(submissions=[submission], lab=lab, same_inputs=False)
            now = clock.now()
            BoardProof.objects.create(
                member=member, submission=submission, lab=lab, job=job, looked_at=now, settled_at=None if job else now
            )
    except IntegrityError:
        return  # another sweep looked at it in the same moment


def _promises(member: BoardMember, job: GradingJob, lab: Lab) -> bool:
    """Whether a report measured something that is better than what this member has proved, or new."""
    report = finished_report(job) if job.status == Status.FINISHED else None
    proved: dict[str, list[Interval]] = {name: [] for name in lab.summary.boards}
    for result in BoardResult.objects.filter(proof__member=member, proof__lab=lab):
        proved.setdefault(result.check_name, []).append(result)
    claims = measured(report, lab) if report else iter(())
    return any(
        not proved[check.name] or all(better(_claim(found), best) for best in proved[check.name])
        for check, found in claims
    )


def _claim(found: Measurement) -> Interval:
    return BoardResult(value=found.value, low=found.low, high=found.high, less_is_better=found.full_at < found.zero_at)
