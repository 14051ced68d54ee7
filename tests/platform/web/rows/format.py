"""Format reports: whoever may see the submission sees what its PDF looks like; staff have one tried again."""

from __future__ import annotations

from config import clock
from grader.contract import Finding, FindingState, FormatReport, PageSize, PaperStyle, Place
from projects.format.models import FormatCheck, PagePicture
from submissions import storage
from tests.platform.web.rows import OWN, STAFF, Row

MODELS = (FormatCheck, PagePicture)


def make(world, things):
    """A checked file with a picture of its one page, and one whose check failed by our fault."""
    now, (checked, failed) = clock.now(), (things.first.files.get(), things.second.files.get())
    finding = Finding("page-size", "Page size", FindingState.FAILED, "A4", "letter", "Do.", (Place(1, 1, 1, 9, 9),))
    report = FormatReport(PaperStyle.FREE, (PageSize(1, 595.3, 841.9),), 1, (finding,))
    check = FormatCheck.objects.create(file=checked, requested_at=now, finished_at=now, data=report.to_json().decode())
    check.pictures.create(page=1, sha256=storage.store(b"a picture"), width=778, height=1100)
    FormatCheck.objects.create(file=failed, requested_at=now, failed_at=now, faults=2, error="why")
    return {"checked": checked, "unchecked": failed}


def checked(things):
    return [things.first.pk, things.more["checked"].pk]


ROWS = {
    "format": Row(OWN, checked),
    "format-summary": Row(OWN, checked),
    "format-picture": Row(OWN, lambda things: [*checked(things), 1]),
    "format-again": Row(STAFF, lambda things: [things.second.pk, things.more["unchecked"].pk], "post", found=302),
}
