"""One mail to the student whose request was answered, and with it to their teammates, whose score it is too.

The answer on their page is what counts; a mail that fails is only logged.
"""

from __future__ import annotations

import structlog
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from config import clock
from reviews.requests.models import RegradeRequest
from submissions.models import Author

log = structlog.get_logger(__name__)


def tell_student(request_id: int, *, site: str) -> bool:
    """Mail the answer unless it has been mailed. Call it after the commit; never raises for what a mail server does."""
    request = RegradeRequest.objects.with_people().filter(pk=request_id, mailed_at=None).first()
    if request is None:
        return False
    try:
        message(request, site).send()
    except OSError as error:  # SMTP's errors are OSErrors, too
        log.warning("mail_not_sent", request=request.pk, error=str(error))
        return False
    return bool(RegradeRequest.objects.filter(pk=request.pk).update(mailed_at=clock.now()))


def message(request: RegradeRequest, site: str) -> EmailMessage:
    """What the student reads."""
    assignment, student = request.submission.assignment, request.asked_by.user
    link = site.rstrip("/") + reverse("regrade-request", args=[request.submission_id])
    context = {"request": request, "assignment": assignment, "link": link, "name": student.name}
    subject = f"Your regrade request for {assignment.label} was answered"
    body = render_to_string("requests/mail.txt", context)
    others = Author.objects.filter(submission=request.submission_id).exclude(enrollment=request.asked_by_id)
    copies = list(others.values_list("enrollment__user__email", flat=True))
    return EmailMessage(" ".join(subject.split()), body, to=[student.email], cc=copies)
