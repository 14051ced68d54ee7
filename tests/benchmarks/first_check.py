"""From the claim of a job to its first check, warm, in the sandbox asked for: `python -m tests.benchmarks.first_check --sandbox docker`.

The worker's own code on a database of its own: claim the job whose turn it is, read it, open a sandbox, load the student's notebook,
and run checks. Prints medians and 95th percentiles in milliseconds, until the first check begins and until its mark is there.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from statistics import median, quantiles

import django

GOAL_MS = 100


def main() -> None:
    """Print one line a moment; the first job, which is cold, is a line of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sandbox", default="docker", choices=("docker", "bubblewrap"))
    parser.add_argument("--samples", type=int, default=40)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"GRADLAB_DEMO": "1", "GRADLAB_DATA_DIR": folder, "GRADLAB_SANDBOX": chosen.sandbox}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _measure(chosen.sandbox, chosen.samples)


def _measure(sandbox: str, samples: int) -> None:
    from grader.api import close_sandboxes
    from tests.factories import AssignmentFactory, person, submit

    lab = AssignmentFactory()
    try:
        found = []
        for number in range(samples + 1):
            job = submit(lab, person(lab.offering), client_token=f"first-check-{number}").jobs.get()
            found.append(_milliseconds(job))
    finally:
        close_sandboxes()
    print(
        f"{sandbox}, first job of the worker: {found[0][0]:.0f} ms to its first check, {found[0][1]:.0f} ms to its mark"
    )
    for what, times in zip(("first check", "first mark"), zip(*found[1:], strict=True), strict=True):
        print(
            f"{sandbox}, warm, {samples} jobs, from the claim to the {what}: median {median(times):.1f} ms, "
            f"p95 {quantiles(times, n=20)[-1]:.1f} ms" + (f" (goal <= {GOAL_MS})" if what == "first check" else "")
        )


def _milliseconds(job) -> tuple[float, float]:
    """Until the first check begins, and until it has its mark. The report is stored, as a worker would."""
    from grader.api import grade
    from grader.contract import CheckFinished, CheckStarted, Outcome
    from grading import claims
    from grading.models import GradingJob
    from grading.runner import job_spec

    moments: dict[type, float] = {}
    began = time.perf_counter()
    held = claims.claim_next(lane=job.lane, worker="benchmark")
    taken = GradingJob.objects.select_related("submission", "practice_run", "lab").get(pk=held.job_id)
    report = grade(job_spec(taken), lambda event: moments.setdefault(type(event), time.perf_counter()))
    if report.outcome is not Outcome.GRADED or report.score != report.max_score:
        raise RuntimeError(f"not graded as it should be: {report.outcome}, {report.message}")
    claims.record_report(held, report)
    time.sleep(0.3)  # a worker's next job comes later than the refill of warm sandboxes
    return ((moments[CheckStarted] - began) * 1e3, (moments[CheckFinished] - began) * 1e3)


if __name__ == "__main__":
    main()
