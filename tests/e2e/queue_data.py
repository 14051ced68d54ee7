"""An offering of its own for a test of the review queue: `python queue_data.py SLUG STUDENTS`, with the settings of a stack."""

from __future__ import annotations

import os
import sys
from datetime import date, timedelta

TEXTS = {
    "problem": "Serving systems keep the keys and values of each request in one block, sized for the longest output.\n\n"
    "Only 20 to 38 % of it holds tokens, so that $m_{used} \\ll m_{held}$.",
    "impact": "The batch is bounded by memory and not by arithmetic. <script>alert('run')</script>",
    "ideas": "Borrow *paging* from operating systems: blocks of 16 tokens, and a table for each sequence.",
    "technique": "- a block manager with reference counts\n- copy on write\n- preemption of whole groups",
    "assessment": "The evaluation covers three models and two traces; a comparison with swapping alone is missing.",
    "improvement": "Blocks of a size that follows the length of the prompt, for example.",
}


def main(slug: str, students: int) -> None:
    """A reading that was due two days ago, read by `students`, and the demo's two TAs."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from accounts.models import User
    from config import clock
    from courses.models import Role
    from readings.models import Paper
    from reviews.agreement.choice import is_chosen
    from tests.factories import EnrollmentFactory, OfferingFactory, ReadingFactory, UserFactory, summary

    # older than the seeded one, which stays the first page of everybody
    offering = OfferingFactory(slug=slug, course__code=slug, starts_on=date(2025, 1, 20), ends_on=date(2026, 6, 1))
    for ta in User.objects.filter(email__in=("priya@demo.gradlab.example", "tomas@demo.gradlab.example")):
        EnrollmentFactory(offering=offering, user=ta, role=Role.TA)
    now = clock.now()
    reading = ReadingFactory(
        assignment__offering=offering,
        assignment__slug="r1",
        assignment__title="PagedAttention",
        assignment__number=1,
        assignment__opens_at=now - timedelta(days=9),
        assignment__due_at=now - timedelta(days=2),
        paper=Paper.objects.create(title=f"PagedAttention {slug}", arxiv_id="2309.06180"),
    ).assignment
    handed_in = number = 0
    while handed_in < students:
        number += 1
        person = UserFactory(name=f"Student {number}", email=f"{slug}-{number}@demo.gradlab.example")
        enrollment = EnrollmentFactory(offering=offering, user=person)
        if not is_chosen(reading.pk, enrollment.pk):  # a second reading is no double work, and it looks like a first
            summary(reading, enrollment, TEXTS, at=now - timedelta(days=3))
            handed_in += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
