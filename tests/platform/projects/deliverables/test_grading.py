"""A team's work from the queue to the release: read once, and everybody's whose work it is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.urls import reverse

from config import clock
from projects.models import Membership
from reviews.agreement.services import choose_calibration
from reviews.marking.services import ReviewRefused
from reviews.models import Rubric, RubricItem
from reviews.queue.rows import hand_graded, left_in_queue
from reviews.queue.standings import standings
from reviews.releases.mail import mail_due_releases
from reviews.releases.models import ReleaseItem, ReleaseMail
from reviews.releases.plan import plan_of
from reviews.releases.services import ReleaseRefused, release, retract
from reviews.requests.models import RegradeRequest
from reviews.requests.rules import RequestRefused
from reviews.requests.services import Answer, answer, ask
from reviews.rubrics.plan import plan
from reviews.rubrics.spec import spec_of
from reviews.sheets.diff import diff_of
from reviews.sheets.export import assignment_table
from reviews.sheets.parse import read_table
from reviews.sheets.rows import sheet_of
from reviews.sheets.services import apply, sign
from reviews.similar.texts import texts_of
from submissions.services import IncomingFile
from tests.factories import ExtensionFactory, deliverable, person, reviewed, team, team_work
from tests.platform.projects.deliverables.conftest import PDF, handed_in
from tests.platform.projects.deliverables.test_uploads import packed

pytestmark = pytest.mark.django_db
WHY = "We measured on two GPUs, and the comment says one."


@pytest.fixture
def due(crew, at):
    """The team and another one have handed in, and the due moment has passed."""
    world_offering = crew.proposal.offering
    others = team(world_offering, person(world_offering, name="Yuki Tanaka"), person(world_offering), name="Bittern")
    ours, theirs = team_work(crew.proposal, crew.team), team_work(crew.proposal, others)
    at(crew.proposal.due_at + timedelta(days=1))
    return ours, theirs


@pytest.fixture
def released(world, due):
    """Both are marked with 8 of 10, and released."""
    for work in due:
        reviewed(work, world.ta, 8)
    return release(assignment=due[0].assignment, by=world.instructor.user)


def rows(world, assignment, by=None):
    return standings([assignment], (by or world.ta).user, clock.now())[assignment.pk].rows


def name_of(world, assignment, browser, *, shown: bool) -> str:
    client = browser(world.ta)
    if shown:
        client.post(reverse("queue-names", args=[world.offering.slug, assignment.slug]))
    return client.get(reverse("queue-assignment", args=[world.offering.slug, assignment.slug])).content.decode()


class TestQueue:
    def test_a_team_is_one_row_whatever_its_members(self, world, crew, due):
        listed = rows(world, crew.proposal)
        assert {row.submission_pk for row in listed} == {row.pk for row in due}
        assert {frozenset(row.people) for row in listed} >= {frozenset({world.student.pk, world.classmate.pk})}
        assert left_in_queue(world.offering, world.ta.user, clock.now()) == 2

    def test_a_later_attempt_of_a_teammate_takes_the_place_of_the_first(self, world, crew, at):
        handed_in(crew.proposal, world.student)
        second = handed_in(crew.proposal, world.classmate)
        at(crew.proposal.due_at + timedelta(days=1))
        assert [row.submission_pk for row in rows(world, crew.proposal)] == [second.pk]

    def test_what_only_a_former_member_still_has_is_read_too(self, world, crew, at):
        first = handed_in(crew.proposal, world.student)
        Membership.objects.filter(enrollment=world.classmate).update(left_at=clock.now())
        Membership.objects.create(team=crew.team, enrollment=person(world.offering), joined_at=clock.now())
        second = handed_in(crew.proposal, world.student)
        at(crew.proposal.due_at + timedelta(days=1))
        assert {row.submission_pk for row in rows(world, crew.proposal)} == {first.pk, second.pk}

    def test_it_waits_until_no_member_can_hand_in_any_more(self, world, crew, due, at):
        extended = crew.proposal.due_at + timedelta(days=3)
        ExtensionFactory(assignment=crew.proposal, enrollment=world.classmate, due_at=extended)
        assert [row.submission_pk for row in rows(world, crew.proposal)] == [due[1].pk]
        assert left_in_queue(world.offering, world.ta.user, clock.now()) == 1
        at(extended + timedelta(seconds=1))
        assert len(rows(world, crew.proposal)) == 2

    @pytest.mark.usefixtures("due")
    def test_names_are_the_teams_and_only_shown_when_asked(self, world, crew, browser):
        hidden = name_of(world, crew.proposal, browser, shown=False)
        assert "Kestrel" not in hidden
        assert "Ada Lindqvist" not in hidden
        shown = name_of(world, crew.proposal, browser, shown=True)
        assert "Kestrel: Ada Lindqvist, Kofi Mensah" in shown

    def test_the_sheet_shows_the_pdf_and_hides_a_repository_that_names_people(self, world, crew, at, browser):
        made = handed_in(crew.proposal, world.student, url="https://git.example.edu/ada/kestrel")
        at(crew.proposal.due_at + timedelta(days=1))
        client, address = browser(world.ta), [world.offering.slug, crew.proposal.slug]
        sheet = client.get(reverse("queue-submission", args=[*address, made.pk])).content.decode()
        pdf = reverse("submission-pdf", args=[made.pk, made.files.get().pk])
        assert f'<iframe class="desk-pdf" loading="lazy" title="The PDF" src="{pdf}#' in sheet
        assert 'href="https://git.example.edu/ada/kestrel"' in sheet
        assert ">https://git.example.edu/ada/kestrel<" not in sheet
        assert "report.pdf" not in sheet
        client.post(reverse("queue-names", args=address))
        shown = client.get(reverse("queue-submission", args=[*address, made.pk])).content.decode()
        assert ">https://git.example.edu/ada/kestrel<" in shown

    def test_a_second_reading_stays_the_same_when_another_member_hands_in(self, world, crew, monkeypatch):
        asked = set()
        monkeypatch.setattr("reviews.queue.standings.is_chosen", lambda _, owner: asked.add(owner))
        for student in (world.student, world.classmate):
            made = handed_in(crew.proposal, student)
            reviewed(made, world.ta, 8)
            early = crew.proposal.due_at
            crew.proposal.due_at = clock.now() - timedelta(days=1)
            rows(world, crew.proposal, by=world.instructor)
            crew.proposal.due_at = early
        assert asked == {min(world.student.pk, world.classmate.pk)}

    def test_a_presentation_is_not_in_it_and_has_no_rubric(self, world, crew, browser):
        slides = deliverable(world.offering, "presentation")
        handed_in(slides, world.student)
        assert list(hand_graded(world.offering)) == [crew.proposal]
        rubric = browser(world.instructor).get(reverse("rubric", args=[world.offering.slug, slides.slug]))
        assert rubric.status_code == 404
        listed = browser(world.instructor).get(reverse("rubrics", args=[world.offering.slug])).content.decode()
        assert crew.proposal.label in listed
        assert slides.label not in listed


class TestRelease:
    def test_the_plan_has_every_student_and_counts_works(self, world, crew, due):
        reviewed(due[0], world.ta, 8)
        plan = plan_of(crew.proposal)
        by_student = {row.enrollment.pk: row for row in plan.rows}
        assert by_student[world.student.pk].score == by_student[world.classmate.pk].score == Decimal(8)
        assert by_student[world.student.pk].submission == by_student[world.classmate.pk].submission
        assert (plan.count("ready"), plan.works("ready"), plan.works("ungraded")) == (2, 1, 1)
        with pytest.raises(ReleaseRefused, match="1 of 2 submissions are not graded"):
            release(assignment=crew.proposal, by=world.instructor.user)

    @pytest.mark.usefixtures("released")
    def test_it_is_shown_once_and_told_to_all_authors(self, world, due, at, settings):
        assert sorted(ReleaseItem.objects.values_list("submission", flat=True)) == sorted(row.pk for row in due)
        at(clock.now() + timedelta(seconds=settings.RELEASE_UNDO_S + 1))
        assert mail_due_releases() == 4
        told = {message.to[0] for message in mail.outbox}
        assert {world.student.user.email, world.classmate.user.email} <= told

    def test_what_is_taken_back_is_told_to_all_authors(self, world, released, at, settings):
        at(clock.now() + timedelta(seconds=settings.RELEASE_UNDO_S + 1))
        retract(release=released, reason="A wrong rubric was used.", by=world.instructor.user)
        told = ReleaseMail.objects.filter(news="retracted").values_list("enrollment", flat=True)
        assert {world.student.pk, world.classmate.pk} <= set(told)
        assert len(told) == 4

    @pytest.mark.usefixtures("released")
    def test_every_author_sees_the_score_and_nobody_else(self, world, due, browser):
        address = reverse("deliverable-submission", args=[due[0].pk])
        for author in (world.student, world.classmate):
            assert '<p class="score">8<small> / 10</small></p>' in browser(author).get(address).content.decode()
        assert browser(person(world.offering)).get(address).status_code == 404


@pytest.mark.usefixtures("released")
class TestRequests:
    def test_any_author_asks_and_all_see_it(self, world, due, browser):
        address = reverse("regrade-request-ask", args=[due[0].pk])
        response = browser(world.classmate).post(address, {"item": "", "reason": WHY})
        assert response.status_code == 302
        asked = RegradeRequest.objects.get()
        assert (asked.asked_by, asked.submission) == (world.classmate, due[0])
        page = browser(world.student).get(reverse("deliverable-submission", args=[due[0].pk])).content.decode()
        assert WHY in page
        assert "by Kofi Mensah" in page
        assert "A request of your team about this score is open" in page

    def test_only_who_asked_withdraws(self, world, due, browser):
        asked = ask(submission=due[0], item=None, reason=WHY, by=world.classmate)
        address = reverse("regrade-request-withdraw", args=[asked.pk])
        page = reverse("deliverable-submission", args=[due[0].pk])
        assert browser(world.student).post(address).status_code == 404
        assert "Withdraw the request" not in browser(world.student).get(page).content.decode()
        assert "Withdraw the request" in browser(world.classmate).get(page).content.decode()
        assert browser(world.classmate).post(address).status_code == 302

    def test_a_student_of_another_team_cannot_ask(self, world, due, browser):
        stranger = person(world.offering)
        response = browser(stranger).post(reverse("regrade-request-ask", args=[due[0].pk]), {"reason": WHY})
        assert response.status_code == 404

    def test_the_answer_is_mailed_to_the_whole_team(self, world, due, django_capture_on_commit_callbacks):
        asked = ask(submission=due[0], item=None, reason=WHY, by=world.classmate)
        given = Answer("The comment was about the other section.", change=False, scores={})
        with django_capture_on_commit_callbacks(execute=True):
            answer(request=asked, viewer=world.instructor, given=given, site="https://example.edu")
        assert mail.outbox[0].to == [world.classmate.user.email]
        assert mail.outbox[0].cc == [world.student.user.email]

    def test_who_has_a_later_submission_asks_about_that_one(self, world, crew, due):
        Membership.objects.filter(enrollment=world.classmate).update(left_at=clock.now())
        Membership.objects.create(team=crew.team, enrollment=person(world.offering), joined_at=clock.now())
        team_work(crew.proposal, crew.team, at=crew.proposal.due_at)
        with pytest.raises(RequestRefused, match="A later submission of yours counts"):
            ask(submission=due[0], item=None, reason=WHY, by=world.student)
        assert ask(submission=due[0], item=None, reason=WHY, by=world.classmate).is_open


class TestSheets:
    def changed(self, crew, changes):
        """The sheet with these points by student's name, as it would come back."""
        header, *lines = assignment_table(crew.proposal)
        name, column = header.index("name"), header.index("whole: The whole")
        text = [",".join(map(str, header))]
        for line in lines:
            row = ["" if cell is None else str(cell) for cell in line]
            row[column] = changes.get(row[name], row[column])
            text.append(",".join(row))
        return diff_of(sheet_of(crew.proposal), read_table("\n".join(text).encode()))

    def test_every_member_has_a_row_with_the_same_work(self, world, crew, due):
        reviewed(due[0], world.ta, 8)
        found = {row.enrollment.pk: row for row in sheet_of(crew.proposal).rows}
        for member in (world.student, world.classmate):
            assert found[member.pk].submission == due[0]
            assert found[member.pk].points == {"whole": Decimal(8)}

    def test_a_change_in_one_row_is_the_teams(self, world, crew, due):
        reviewed(due[0], world.ta, 8)
        reviewed(due[1], world.ta, 5)
        diff = self.changed(crew, {"Ada Lindqvist": "9"})
        assert [change.row.submission for change in diff.changes] == [due[0]]
        signed = sign(crew.proposal, diff, by=world.instructor.user)
        assert apply(assignment=crew.proposal, signed=signed, reason="read again", by=world.instructor.user) == 1
        scores = {row.enrollment.pk: row.total for row in sheet_of(crew.proposal).rows}
        assert scores[world.student.pk] == scores[world.classmate.pk] == Decimal(9)

    def test_the_same_change_in_all_rows_is_one(self, world, crew, due):
        reviewed(due[0], world.ta, 8)
        diff = self.changed(crew, {"Ada Lindqvist": "9", "Kofi Mensah": "9"})
        assert len(diff.changes) == 1
        assert not diff.problems

    def test_two_scores_for_one_team_are_a_problem(self, world, crew, due):
        reviewed(due[0], world.ta, 8)
        diff = self.changed(crew, {"Ada Lindqvist": "9", "Kofi Mensah": "7"})
        assert not diff.can_apply
        assert "is of Kestrel, as row" in diff.problems[0].text
        assert "A team has one score" in diff.problems[0].text


class TestTheFile:
    @pytest.fixture
    def made(self, world, crew):
        return handed_in(crew.proposal, world.student, data=PDF + b"<script>alert(document.domain)</script>")

    def test_a_pdf_is_a_pdf_to_the_browser_and_can_do_nothing(self, world, made, browser):
        response = browser(world.classmate).get(reverse("submission-pdf", args=[made.pk, made.files.get().pk]))
        assert response.headers["Content-Type"] == "application/pdf"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert response.headers["Content-Disposition"].startswith('inline; filename="submission-')
        assert "report" not in response.headers["Content-Disposition"]
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "script-src" not in policy
        assert b"".join(response.streaming_content).startswith(b"%PDF-")

    def test_everything_else_is_a_download(self, world, crew, browser):
        made = handed_in(crew.proposal, world.student, code=IncomingFile("code.zip", packed(("a.html", b"<script>"))))
        archive = made.files.get(name="code.zip")
        assert browser(world.student).get(reverse("submission-pdf", args=[made.pk, archive.pk])).status_code == 404
        response = browser(world.student).get(reverse("submission-file", args=[made.pk, archive.pk]))
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")

    def test_it_is_for_its_authors_and_staff(self, world, made, browser):
        address = reverse("submission-pdf", args=[made.pk, made.files.get().pk])
        for who, status in ((world.ta, 200), (person(world.offering), 404), (world.other_instructor, 404)):
            assert browser(who).get(address).status_code == status

    def test_pages_of_ours_may_not_be_framed_but_by_nobody(self, world, made, browser):
        page = browser(world.student).get(reverse("deliverable-submission", args=[made.pk]))
        assert page.headers["X-Frame-Options"] == "DENY"


def test_where_a_rubric_grows_the_team_is_named_once(world, crew, due):
    reviewed(due[0], world.ta, 8)
    rubric = Rubric.objects.select_related("assignment").get(assignment=crew.proposal)
    RubricItem.objects.create(rubric=rubric, task_id="more", title="More", points=Decimal(2), position=2)
    part = plan([(rubric, spec_of(rubric))]).parts[0]
    assert [row.name for row in part.incomplete] == ["Kestrel"]


def test_pdfs_are_neither_compared_nor_calibrated_on(world, due):
    assert texts_of(due[0]) == {}
    with pytest.raises(ReviewRefused, match="There is no summary"):
        choose_calibration(offering=world.offering, number=due[0].pk, by=world.instructor.user)
