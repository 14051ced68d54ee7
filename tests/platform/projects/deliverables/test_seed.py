"""The demo's deliverables at two moments of its clock: while the proposal is open, and after it was due."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from projects.deliverables.selectors import deliverables_of
from projects.models import TeamSubmission
from reviews.releases.plan import plan_of
from submissions import storage
from submissions.models import Submission
from web.seed.course import seed_course
from web.seed.deliverables import seed_deliverables
from web.seed.pdf import pdf_of
from web.seed.people import seed_people
from web.seed.teams import seed_teams

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("files_dir")]


@pytest.fixture
def seeded(at):
    """`seeded(moment)`: the course, its people and teams, and what they handed in by then."""

    def seed(moment):
        at(moment)
        offering = seed_course()
        students = seed_people(offering, "a long password")
        seed_teams(offering, students)
        return offering, students, seed_deliverables(offering)

    return seed


def test_while_the_proposal_is_open_a_few_teams_have_handed_in(seeded):
    offering, students, made = seeded(datetime(2026, 2, 19, 1, 41, tzinfo=UTC))
    proposal = offering.assignments.get(slug="proposal")
    assert proposal.submissions.count() == made > 3
    assert 1 < TeamSubmission.objects.values("team").distinct().count() < offering.teams.count()
    assert [state.chip.label for state in deliverables_of(students[0])][:2] == ["Handed in", "Opens 3 Mar"]
    assert proposal.submissions.filter(link__isnull=False).count() == 1
    assert seed_deliverables(offering) == 0


def test_once_it_was_due_most_are_marked_and_released(seeded):
    offering, students, _ = seeded(datetime(2026, 3, 10, 12, tzinfo=UTC))
    plan = plan_of(offering.assignments.get(slug="proposal"))
    assert plan.works("released") > 5
    assert plan.works("ungraded") == 1
    assert plan.count("nothing") > 0
    scores = {row.score for row in plan.rows if row.score is not None}
    assert len(scores) > 2
    lone = next(student for student in students if student.user.name == "Sven Eriksson")
    assert not Submission.objects.filter(authors__enrollment=lone).exists()


def test_what_they_hand_in_can_be_read(seeded):
    seeded(datetime(2026, 2, 19, 1, 41, tzinfo=UTC))
    for file in Submission.objects.latest("pk").files.all():
        data = storage.read(file.sha256)
        assert data.startswith(b"%PDF-" if file.name.endswith(".pdf") else b"PK")


def test_the_plain_pdf_is_one_that_a_library_reads():
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument(io.BytesIO(pdf_of("Half a Bit (2)", ["How far?", "Noor, Linh, Mateo Hernández"])))
    assert len(document) == 1
    assert document[0].get_size() == (612, 792)
    text = document[0].get_textpage().get_text_range()
    assert "Half a Bit (2)" in text
    assert "Hernández" in text
