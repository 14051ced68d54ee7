"""The demo asks for the format of its latest PDFs, and of nothing else."""

from __future__ import annotations

import pytest

from projects.format.models import FormatCheck
from submissions.models import SubmittedFile
from tests.factories import submit, team, team_work
from web.seed.formats import MOST, seed_formats

pytestmark = pytest.mark.django_db


def test_the_latest_pdfs_are_looked_at_once(world, final):
    crew = team(world.offering, world.student)
    work = [team_work(final, crew, data=b"%%PDF-%d" % number) for number in range(MOST + 2)]
    SubmittedFile.objects.create(submission=work[-1], name="code.zip", sha256="0" * 64, size=1)
    submit(world.lab, world.classmate)
    assert seed_formats(world.offering) == MOST
    seed_formats(world.offering)
    asked = set(FormatCheck.objects.values_list("file__submission", flat=True))
    assert asked == {submission.pk for submission in work[-MOST:]}
