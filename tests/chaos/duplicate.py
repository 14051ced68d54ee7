"""`python -m tests.chaos.duplicate 4`: sends the latest job's message again, as a broker may."""

from __future__ import annotations

import sys

import django


def main() -> None:
    """Send it so many times."""
    django.setup()
    from grading.models import GradingJob
    from grading.tasks import grade_job

    latest = GradingJob.objects.order_by("-pk").values_list("pk", flat=True)[0]
    for _ in range(int(sys.argv[1])):
        grade_job.apply_async((latest,), queue="grading")


if __name__ == "__main__":
    main()
