"""The outbox of scores, emptied by the sweeper: a platform that is away delays them and nothing else.

Each score is looked at once more before it leaves: what was unreleased, decided otherwise or changed since the instructor chose it is not
sent. The platform keeps the newest of two scores by their time, so that one that is sent twice changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

import structlog
from django.conf import settings
from django.db import transaction
from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.exception import LtiException
from pylti1p3.grade import Grade
from pylti1p3.lineitem import LineItem

from audit.services import record
from config import clock
from lti.claims import service_url
from lti.http import BoundedSession, Connector
from lti.models import Context, Line, ScoreMessage
from lti.passback.selectors import subjects_of
from lti.passback.values import Values, values_of
from lti.protocol import registration_of
from lti.troubles import TROUBLES, Trouble, trouble_of

BATCH = 100
TURN_S = 10  # the sweeper has other work: a slow platform gets the rest at its next turns
CHANGED = (
    "The score changed, or is not released any more, since it was chosen. It was not sent; look at the preview again."
)
UNKNOWN = "The platform's id of this person is not known any more. Read names and roles, then send again."
GIVEN_UP = "It was tried for hours. Send again when the platform is well."
log = structlog.get_logger(__name__)


def send_due_scores() -> int:
    """Send what is due; returns how many scores the platforms took. Never raises for what a platform does."""
    due = ScoreMessage.objects.filter(send_at__lte=clock.now(), line__context__offering__isnull=False)
    related = due.select_related("line__context__deployment__platform", "line__context__offering", "enrollment")
    ordered = related.order_by("line__context", "send_at", "pk")[:BATCH]
    until = time.monotonic() + TURN_S
    return sum(
        _Round(context).send(list(rows), until) for context, rows in groupby(ordered, lambda row: row.line.context)
    )


class _Round:
    """The scores of one course in one turn of the sweeper."""

    def __init__(self, context: Context) -> None:
        self.context, self.platform = context, context.deployment.platform
        assert context.offering is not None
        self.values: Values = values_of(context.offering)
        self.subjects = subjects_of(context)
        connector = Connector(registration_of(self.platform), BoundedSession())
        data = {"scope": list(context.scopes), "lineitems": context.line_items_url}
        self.service = AssignmentsGradesService(connector, data)  # type: ignore[arg-type]
        self.lines: dict[int, Line] = {}

    def send(self, messages: Sequence[ScoreMessage], until: float) -> int:
        """Until all are sent, or the turn is over, or the platform shows that the others would meet the same. One is always tried."""
        sent = 0
        for message in messages:
            if not _claim(message):
                continue
            trouble = self._refusal(message) or self._try(message)
            if trouble is None:
                sent += 1
            else:
                _failed(message, trouble)
            if time.monotonic() > until or (trouble and trouble.whole):
                log.info("lti_scores_wait", platform=self.platform.name, trouble=trouble.sentence if trouble else "")
                break
        return sent

    def _refusal(self, message: ScoreMessage) -> Trouble | None:
        place = (message.line.key, message.enrollment_id)
        if place not in self.values.points or self.values.points[place] != message.points:
            return Trouble(CHANGED)
        return None if message.enrollment_id in self.subjects else Trouble(UNKNOWN)

    def _try(self, message: ScoreMessage) -> Trouble | None:
        try:
            line = self._line(message.line)
            item = LineItem().set_id(line.url)
            self.service.put_grade(self._grade(message), item)
        except TROUBLES as error:
            trouble = trouble_of(self.platform, error)
            if trouble.gone:  # the next sending makes the column again, if that is what was gone
                Line.objects.filter(pk=message.line_id).update(url="")
                self.lines.pop(message.line_id, None)
            return trouble
        _taken(message)
        return None

    def _grade(self, message: ScoreMessage) -> Grade:
        """With its moment to the microsecond, by which the platform orders scores."""
        grade = Grade().set_user_id(self.subjects[message.enrollment_id])
        grade.set_timestamp(clock.now().isoformat(timespec="microseconds"))
        if message.points is None:
            return grade.set_activity_progress("Submitted").set_grading_progress("Pending")
        grade.set_score_given(float(message.points)).set_score_maximum(float(message.line.points))
        return grade.set_activity_progress("Completed").set_grading_progress("FullyGraded")

    def _line(self, line: Line) -> Line:
        """The column at the platform: the one that is known, else one with our resource id, else a new one."""
        known = self.lines.get(line.pk) or Line.objects.get(pk=line.pk)
        if not known.url:
            wanted = LineItem().set_tag("gradlab").set_resource_id(resource_id(known)).set_label(known.title)
            found = self.service.find_or_create_lineitem(wanted.set_score_maximum(float(known.points)), "resource_id")
            known.url = service_url(found.get_id())
            if not known.url:
                raise LtiException("The column has no address.")
            Line.objects.filter(pk=known.pk).update(url=known.url)
        self.lines[line.pk] = known
        return known


def resource_id(line: Line) -> str:
    """By which a column is found again: it names the offering, since a course copied at the platform copies its columns."""
    return f"gradlab:{line.context.offering_id}:{line.key}"


def _claim(message: ScoreMessage) -> bool:
    """Put the next try off before this one, so that two sweepers do not send the same and a failure waits longer each time."""
    message.tries += 1
    later = clock.now() + timedelta(seconds=settings.LTI_SCORE_RETRY_S * 2**message.tries)
    due = ScoreMessage.objects.filter(pk=message.pk, send_at=message.send_at, points=message.points)
    return bool(due.update(tries=message.tries, send_at=later))


@transaction.atomic
def _taken(message: ScoreMessage) -> None:
    """Remember it. A newer score that was asked for meanwhile stays in the outbox."""
    stored = ScoreMessage.objects.select_for_update().filter(pk=message.pk).first()
    if stored is None:  # the course was unlinked while the platform answered
        return
    before, stored.sent_points, stored.sent_at = stored.sent_points, message.points, clock.now()
    if stored.points == message.points:
        stored.send_at, stored.trouble = None, ""
    stored.save(update_fields=["sent_points", "sent_at", "send_at", "trouble"])
    record(
        actor=message.asked_by,
        action="sent a score",
        subject=message.enrollment,
        offering_id=message.enrollment.offering_id,
        before="" if before is None else str(before),
        after=f"{message.line.title}: {'no score yet' if message.points is None else message.points}",
    )


def _failed(message: ScoreMessage, trouble: Trouble) -> None:
    """Say why. What passes is tried again; after some tries, and for anything else, an instructor must act."""
    again = trouble.passes and message.tries < settings.LTI_SCORE_TRIES
    sentence = (
        trouble.sentence
        if again or not trouble.passes
        else f"{trouble.sentence.removesuffix(' We try again by ourselves.')} {GIVEN_UP}"
    )
    ours = ScoreMessage.objects.filter(pk=message.pk, tries=message.tries)
    ours.update(trouble=sentence[:500]) if again else ours.update(trouble=sentence[:500], send_at=None)
