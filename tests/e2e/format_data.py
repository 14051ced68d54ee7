"""A team's report in a running stack: `python format_data.py SLUG KIND`, with the settings of a stack. Prints the report's address; of the
kind `open`, with nothing handed in yet, the deliverable's.

The front door's own services record it and ask for its check, so the stack's worker looks at it behind its walls.
"""

from __future__ import annotations

import os
import sys
from datetime import date


def main(slug: str, kind: str) -> None:
    """An offering of its own with two of the demo's students as a team, and the demo's TA."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import transaction
    from django.urls import reverse

    from accounts.models import User
    from courses.models import Enrollment, Role
    from projects.deliverables.models import Deliverable, Stage, Style
    from projects.format.services import request_check
    from tests.factories import OfferingFactory, deliverable, team, team_work

    def enroll(name: str, role: str) -> Enrollment:
        return Enrollment.objects.create(
            offering=offering, user=User.objects.get(email=f"{name}@demo.gradlab.example"), role=role
        )

    # older than the seeded one, which stays the first page of everybody
    offering = OfferingFactory(slug=slug, course__code=slug, starts_on=date(2025, 1, 20), ends_on=date(2026, 6, 1))
    enroll("priya", Role.TA)
    crew = team(offering, enroll("maya", Role.STUDENT), enroll("jin", Role.STUDENT))
    final = deliverable(offering, Stage.FINAL)
    style = (
        {"style": Style.SLIDES} if kind == "slides" else {"style": Style.NEURIPS_2020, "pages_from": 6, "pages_to": 8}
    )
    Deliverable.objects.filter(assignment=final).update(**style)
    if kind == "open":
        print(reverse("deliverable", args=[slug, final.slug]))  # noqa: T201 - the test reads it
        return
    with transaction.atomic():
        submission = team_work(final, crew, data=_pdf(kind))
        check = request_check(file=submission.files.get())
    print(reverse("format", args=[submission.pk, check.file_id]))  # noqa: T201 - the test reads it


def _pdf(kind: str) -> bytes:
    from tests.papers import A4, SECTIONS, TIMES, paper, plain, slides

    def wide(canvas, page: int) -> None:
        if page in {3, 5}:
            canvas.setFont(TIMES, 10)
            canvas.drawString(420, 500, "a table that is wider than the text may be here")

    if kind == "broken":
        longer = tuple((name, pages + (1.2 if name.endswith("Evaluation") else 0)) for name, pages in SECTIONS)
        people = ("Maya Okafor and Jin Park", "University of Illinois", "{maya,jin}@example.edu")
        unlike = tuple((name.replace("Related Work", "Inspiration"), pages) for name, pages in longer)
        return paper(page=A4, sections=unlike, authors=people, abstract_indent=0.0, drawn=wide)
    if kind == "locked":
        from reportlab.lib.pdfencrypt import StandardEncryption

        return plain(lambda canvas: canvas.showPage(), encrypt=StandardEncryption("secret"))
    return slides(9) if kind == "slides" else paper()


if __name__ == "__main__":
    main(*sys.argv[1:])
