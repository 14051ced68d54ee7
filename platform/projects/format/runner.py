"""Running one check in a worker: claim it, have the grader look at the PDF behind walls, store what it found."""

from __future__ import annotations

import structlog
from django.conf import settings

from config import connections
from grader.api import GraderFault, SandboxUnavailable, check_format
from grader.contract import FormatReport, FormatSpec, PageImage, PaperStyle, Refusal, SandboxKind
from grader.contract import SubmittedFile as FileToCheck
from projects.deliverables.models import Deliverable
from projects.format import claims
from projects.format.claims import Claim, StoredPicture
from projects.format.models import FormatCheck
from submissions import storage
from submissions.stores import DamagedFile, StorageAway

log = structlog.get_logger(__name__)


def run_check(check_id: int) -> None:
    """Answer a message. One that comes twice, or after the check is over, finds nothing to claim."""
    held = claims.claim(check_id=check_id)
    if held is None:
        log.info("no_format_to_check", check=check_id)
        return
    try:
        kept = _look(held)
    except StorageAway as error:
        kept = claims.postpone(held, error=str(error))
    except (DamagedFile, FileNotFoundError, GraderFault, SandboxUnavailable) as error:
        kept = claims.record_fault(held, error=str(error))
    except Exception as error:
        claims.record_fault(held, error=f"{type(error).__name__}: {error}")
        raise
    log.info("format_checked", check=check_id, fence=held.fence, kept=kept)


def format_spec(check: FormatCheck) -> FormatSpec:
    """What the grader needs to know: the file, and what the deliverable asks of it. Nothing about its authors."""
    file, asked = check.file, _asked(check)
    return FormatSpec(
        file=FileToCheck(file.name, str(storage.path(file.sha256)), file.sha256),
        style=PaperStyle(asked.style) if asked else PaperStyle.FREE,
        pages_from=asked.pages_from if asked else None,
        pages_to=asked.pages_to if asked else None,
        sandbox=SandboxKind(settings.SANDBOX),
        allow_approximate_limits=settings.ALLOW_APPROXIMATE_LIMITS,
    )


def _look(held: Claim) -> bool:
    """Whether what was found is stored; it is not when another worker took the check meanwhile."""
    check = FormatCheck.objects.select_related("file__submission").get(pk=held.check_id)
    try:
        report, images = check_format(format_spec(check))
    except Refusal as refusal:
        return claims.record_refusal(held, str(refusal), note=getattr(refusal, "note", ""))
    connections.give_back()  # the database may have been restarted since the claim
    return _store(held, report, images)


def _store(held: Claim, report: FormatReport, images: list[PageImage]) -> bool:
    """Pictures first: a row never names bytes that are not there."""
    pictures = [StoredPicture(image.page, storage.store(image.png), image.width, image.height) for image in images]
    return claims.record_report(held, report, pictures)


def _asked(check: FormatCheck) -> Deliverable | None:
    submission = check.file.submission
    return Deliverable.objects.filter(assignment=submission.assignment_id).first() if submission else None
