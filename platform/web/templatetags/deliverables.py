"""What belongs to a project's submission, for pages of apps that know no projects."""

from __future__ import annotations

from django import template

from assignments.models import Kind
from courses.models import Enrollment
from projects.deliverables import selectors
from projects.deliverables.models import SubmissionLink
from projects.deliverables.selectors import DeliverableState
from projects.format.selectors import FormatSummary, summaries_of
from submissions.models import Submission, SubmittedFile

register = template.Library()


@register.filter
def is_pdf(file: SubmittedFile) -> bool:
    """`{% if file|is_pdf %}`: whether a browser may show it beside our pages."""
    return file.is_pdf


@register.simple_tag
def deliverables_of(enrollment: Enrollment) -> tuple[DeliverableState, ...]:
    """`{% deliverables_of enrollment as states %}`: what `deliverables/_list.html` lists."""
    return selectors.deliverables_of(enrollment)


@register.simple_tag
def formats_of(submission: Submission) -> list[FormatSummary]:
    """`{% formats_of page.submission as formats %}`: what its PDFs look like, for a page that shows no file's name. One query."""
    return summaries_of(submission)


@register.simple_tag
def repository_of(submission: Submission) -> SubmissionLink | None:
    """`{% repository_of page.submission as link %}`: the address that was named with a deliverable. One query for a deliverable."""
    if submission.assignment.kind != Kind.DELIVERABLE:
        return None
    return SubmissionLink.objects.filter(submission=submission).first()
