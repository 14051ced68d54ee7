"""What the demo's teams have handed in. The clock decides: what is past is marked and released but for one team, what is open has come
from the first few."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from django.conf import settings
from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from courses.models import Offering
from projects.deliverables.models import SubmissionLink, TeamSubmission
from projects.deliverables.states import listed_in
from projects.teams.models import Team, TeamRules
from projects.teams.rules import rules_of
from projects.teams.selectors import members_of
from reviews.marking.models import Review
from reviews.marking.services import GivenMark, save_review
from reviews.models import RubricItem
from reviews.releases.models import Release, ReleaseItem
from submissions import storage
from submissions.models import Source, Submission
from submissions.services import StoredFile, record_submission
from web.seed.pdf import pdf_of
from web.seed.people import INSTRUCTOR, TAS, address

OPEN_SHARE = 3  # of a deliverable that is open, one team in so many has handed in
NOT_YET = 1  # of one that is past, so many teams handed in nothing
SCRIPT = b'"""Run the benchmark of our proposal."""\n\nprint("nothing to measure yet")\n'


def seed_deliverables(offering: Offering) -> int:
    """Hand in for the teams; returns how many submissions that made. A second time makes none."""
    listed = [row.assignment for row in listed_in(offering)]
    if Submission.objects.filter(assignment__in=listed).exists():
        return 0
    now, rules = clock.now(), rules_of(offering)
    teams = [team for team in offering.teams.standing().order_by("created_at") if _may_hand_in(team, rules)]
    made = 0
    for assignment in listed:
        if assignment.due_at < now:
            made += _past(assignment, teams)
        elif assignment.is_open(now):
            made += _open(assignment, teams[::OPEN_SHARE], now)
    return made


def _may_hand_in(team: Team, rules: TeamRules) -> bool:
    return bool(team.size_exception) or team.memberships.current().count() >= rules.smallest


def _past(assignment: Assignment, teams: Sequence[Team]) -> int:
    """Nearly all handed in; of a written one the TAs marked all but the last, and what is marked is released."""
    random = Random(assignment.number)  # noqa: S311 - the demo is the same every time
    moments = [assignment.due_at - timedelta(hours=1 + 60 * random.random()) for _ in teams]
    with transaction.atomic():
        made = [_hand_in(assignment, team, at) for team, at in zip(teams[NOT_YET:], moments, strict=False)]
        if made[:-1] and not assignment.scored_elsewhere:
            _mark(assignment, made[:-1], random)
            _release(assignment, made[:-1])
    return len(made)


@transaction.atomic
def _open(assignment: Assignment, teams: Sequence[Team], now: datetime) -> int:
    """The first of them twice."""
    for place, team in enumerate(teams):
        _hand_in(assignment, team, now - timedelta(hours=31 + 5 * place))
    if teams:
        _hand_in(assignment, teams[0], now - timedelta(hours=3), link="https://git.example.edu/ring/reducers")
    return len(teams) + bool(teams)


def _hand_in(assignment: Assignment, team: Team, at: datetime, link: str = "") -> Submission:
    members = members_of(team)
    pdf = pdf_of(f"{team.name}: {assignment.title}", [team.topic, "", *(member.user.name for member in members)])
    made = record_submission(
        assignment=assignment,
        enrollment=members[0],
        files=[_stored(f"{assignment.slug}.pdf", pdf), _stored("code.zip", _zip(at))],
        source=Source.UPLOAD,
        client_token=None,
        received_at=at,
        waiting_ahead=None,
        mail=False,
        authors=members,
        shared_as=team.name,
    )
    TeamSubmission.objects.create(submission=made, team=team)
    if link:
        SubmissionLink.objects.create(submission=made, url=link)
    return made


def _stored(name: str, data: bytes) -> StoredFile:
    return StoredFile(name, storage.store(data), len(data))


def _zip(at: datetime) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("code/run.py", at.timetuple()[:6]), SCRIPT)
    return buffer.getvalue()


def _mark(assignment: Assignment, submissions: Sequence[Submission], random: Random) -> None:
    """The TAs take turns."""
    graders = [User.objects.get(email=address(name)) for name in TAS]
    items = list(RubricItem.objects.filter(rubric__assignment=assignment).prefetch_related("levels"))
    for place, submission in enumerate(submissions):
        marks = {item.pk: GivenMark(_points(item, random)) for item in items}
        said = "A clear question, and a plan that can work. Say earlier what you will not do."
        save_review(
            submission=submission, by=graders[place % 2], marks=marks, comment=said, spent_s=random.randint(200, 900)
        )
    Review.objects.filter(submission__in=submissions).update(saved_at=assignment.due_at + timedelta(days=4))


def _points(item: RubricItem, random: Random) -> Decimal:
    return random.choices([level.points for level in item.levels.all()], weights=(5, 4, 2, 0))[0]


def _release(assignment: Assignment, submissions: Sequence[Submission]) -> None:
    """Five days after the due moment; who was told of it then is not told again."""
    at, instructor = assignment.due_at + timedelta(days=5), User.objects.get(email=address(INSTRUCTOR))
    undo = timedelta(seconds=settings.RELEASE_UNDO_S)
    release = Release.objects.create(assignment=assignment, released_at=at, released_by=instructor, final_at=at + undo)
    ReleaseItem.objects.bulk_create(ReleaseItem(release=release, submission=row) for row in submissions)
    record(actor=instructor, action="released", subject=assignment, offering_id=assignment.offering_id)
