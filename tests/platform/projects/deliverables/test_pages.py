"""The pages of deliverables: for students, for those who grade, for those who keep them; and what the receipts say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assignments.due.models import Accommodation
from config import clock
from projects.deliverables.selectors import deliverables_of
from projects.models import Deliverable, Membership, SubmissionLink
from reviews.releases.services import release
from submissions.issuing import check_text
from submissions.mail import mail_due_receipts
from submissions.models import SignedReceipt, Submission
from tests.factories import ExtensionFactory, deliverable, person, reviewed, submit, team, team_work
from tests.platform.projects.deliverables.conftest import PDF, handed_in

pytestmark = pytest.mark.django_db


def page_of(assignment) -> str:
    return reverse("deliverable", args=[assignment.offering.slug, assignment.slug])


def post(client, assignment, **fields):
    address = reverse("deliverable-submit", args=[assignment.offering.slug, assignment.slug])
    return client.post(address, {"pdf": SimpleUploadedFile("report.pdf", PDF), **fields})


def text_of(response) -> str:
    return " ".join(response.content.decode().split())


class TestStudent:
    def test_the_way_from_the_page_to_the_submission(self, world, crew, browser):
        client = browser(world.student)
        page = text_of(client.get(page_of(crew.proposal)))
        assert "Kestrel" in page
        assert "Ada Lindqvist, Kofi Mensah" in page
        assert "The whole" in page
        response = post(client, crew.proposal, url="https://example.edu/repo", client_token="one")
        made = Submission.objects.get()
        assert response.url == reverse("deliverable-submission", args=[made.pk])
        assert "Handed in for Kestrel. Each of its members gets the receipt by mail" in text_of(
            client.get(response.url)
        )
        same = {"url": "https://example.edu/repo", "client_token": "one"}
        assert post(client, crew.proposal, **same).url == response.url
        again = text_of(client.get(page_of(crew.proposal)))
        assert "Hand in again for the team" in again
        assert "Attempt 1" in again

    def test_what_a_press_waits_for_on_the_server_makes_no_team_late(self, world, crew, browser, at):
        client, due_at = browser(world.student), crew.proposal.due_at.replace(microsecond=0)
        at(due_at)

        def seconds_pass(execute, sql, params, many, context):
            at(due_at + timedelta(seconds=9))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(seconds_pass):
            assert post(client, crew.proposal).status_code == 302
        assert Submission.objects.get().created_at == due_at

    def test_who_goes_back_and_corrects_the_address_has_handed_it_in(self, world, crew, browser):
        client = browser(world.student)
        urls = ["https://example.edu/wrong", "https://example.edu/right"]
        pages = [post(client, crew.proposal, url=url, client_token="one").url for url in urls]
        assert len(set(pages)) == 2
        assert urls[1] in text_of(client.get(pages[1]))

    def test_a_refusal_keeps_the_address_and_says_which_file(self, world, crew, browser):
        wrong = SimpleUploadedFile("notes.txt", b"text")
        response = post(browser(world.student), crew.proposal, pdf=wrong, url="https://example.edu/mine")
        assert response.status_code == 422
        assert "notes.txt does not end in .pdf" in text_of(response)
        assert 'value="https://example.edu/mine"' in text_of(response)
        assert not Submission.objects.exists()

    def test_htmx_finds_the_reason_in_the_page_and_goes_on_by_itself(self, world, crew, browser):
        client = browser(world.student)
        address = reverse("deliverable-submit", args=[world.offering.slug, crew.proposal.slug])
        refused = client.post(address, {"url": "nonsense"}, headers={"HX-Request": "true"})
        assert refused.status_code == 422
        reason = text_of(refused).partition('<div id="refusal">')[2]
        assert "“nonsense” is no address on the web" in reason.partition("</div>")[0]
        sent = {"pdf": SimpleUploadedFile("report.pdf", PDF)}
        done = client.post(address, sent, headers={"HX-Request": "true"})
        assert done.headers["HX-Redirect"] == reverse("deliverable-submission", args=[Submission.objects.get().pk])

    @pytest.mark.parametrize("url", ["\0https://example.edu/a\0", "x" * 3000])
    def test_odd_text_is_never_a_fault(self, world, crew, browser, url):
        assert post(browser(world.student), crew.proposal, url=url).status_code in {302, 422}

    def test_without_a_team_the_page_says_what_to_do(self, world, crew, browser):
        page = text_of(browser(person(world.offering)).get(page_of(crew.proposal)))
        assert "You are in no team yet" in page
        assert reverse("project", args=[world.offering.slug]) in page
        assert 'name="pdf"' not in page

    def test_who_joined_later_is_told(self, world, crew, browser):
        handed_in(crew.proposal, world.student)
        late = person(world.offering)
        Membership.objects.create(team=crew.team, enrollment=late, joined_at=clock.now())
        assert "came before you joined" in text_of(browser(late).get(page_of(crew.proposal)))
        assert "came before you joined" not in text_of(browser(world.student).get(page_of(crew.proposal)))

    def test_the_date_is_the_teams_and_the_reason_nobodys(self, world, crew, browser, at):
        Accommodation.objects.create(
            enrollment=world.classmate, amount=2, unit="days", reason="r", granted_at=crew.proposal.opens_at
        )
        for who, told in ((world.student, "for the whole team"), (world.classmate, "by an accommodation of 2 days")):
            client = browser(who)
            assert told in text_of(client.get(page_of(crew.proposal)))
            assert told in text_of(client.get(reverse("dates", args=[world.offering.slug])))
        teammate = browser(world.student)
        at(crew.proposal.due_at + timedelta(days=1))
        made = handed_in(crew.proposal, world.classmate)
        for address in (
            page_of(crew.proposal),
            reverse("deliverable-submission", args=[made.pk]),
            reverse("submission-receipt", args=[made.pk]),
            reverse("dates", args=[world.offering.slug]),
            reverse("dashboard", args=[world.offering.slug]),
            reverse("schedule", args=[world.offering.slug]),
            reverse("project", args=[world.offering.slug]),
        ):
            page = text_of(teammate.get(address))
            assert "accommodation of 2 days" not in page, address

    def test_after_the_date_nothing_is_offered(self, world, crew, browser, at):
        at(crew.proposal.due_at + timedelta(days=1))
        page = text_of(browser(world.student).get(page_of(crew.proposal)))
        assert "Nothing was handed in." in page
        assert 'name="pdf"' not in page

    def test_it_is_not_there_before_it_opens(self, world, browser):
        later = deliverable(world.offering, "midterm", opens_at=clock.now() + timedelta(days=1))
        assert browser(world.student).get(page_of(later)).status_code == 404
        assert browser(world.ta).get(page_of(later)).status_code == 200

    def test_another_kind_of_work_is_no_deliverable(self, world, browser):
        assert browser(world.student).get(page_of(world.lab)).status_code == 404
        made = submit(world.lab, world.student)
        assert browser(world.student).get(reverse("deliverable-submission", args=[made.pk])).status_code == 404

    def test_a_submission_leads_to_its_page_and_is_not_compared(self, world, crew, browser):
        first, second = handed_in(crew.proposal, world.student), handed_in(crew.proposal, world.student)
        client = browser(world.student)
        assert client.get(reverse("submission", args=[first.pk])).url == reverse(
            "deliverable-submission", args=[first.pk]
        )
        assert client.get(reverse("submission-compare", args=[first.pk, second.pk])).status_code == 404
        assert "A later attempt counts" in text_of(client.get(reverse("deliverable-submission", args=[first.pk])))

    def test_a_stored_address_that_is_a_script_is_text(self, world, crew, browser):
        made = handed_in(crew.proposal, world.student)
        SubmissionLink.objects.create(submission=made, url="javascript:alert(1)")
        page = text_of(browser(world.student).get(reverse("deliverable-submission", args=[made.pk])))
        assert "javascript:alert(1)" in page
        assert 'href="javascript' not in page


class TestStates:
    def chips(self, who):
        return [state.chip.label for state in deliverables_of(who)]

    def test_the_list_follows_the_work(self, world, crew, at):
        deliverable(world.offering, "midterm", opens_at=clock.now() + timedelta(days=3), number=9999)
        assert self.chips(world.student)[0] == "Not handed in yet"
        assert self.chips(world.student)[1].startswith("Opens ")
        made = handed_in(crew.proposal, world.classmate)
        assert self.chips(world.student)[0] == "Handed in"
        assert self.chips(world.ta)[0] == "1 handed in"
        reviewed(made, world.ta, 8)
        assert self.chips(world.student)[0] == "Graded, not released"
        assert deliverables_of(world.student)[0].score is None
        release(assignment=crew.proposal, by=world.instructor.user)
        assert (self.chips(world.student)[0], deliverables_of(world.student)[0].score) == ("Released", 8)
        alone = person(world.offering)
        assert "no team" in deliverables_of(alone)[0].why_not
        at(crew.proposal.due_at + timedelta(days=1))
        assert self.chips(alone)[0] == "Not handed in"

    def test_what_is_due_next_knows_it(self, world, crew, browser):
        world.lab.due_at = clock.now() + timedelta(days=60)
        world.lab.save()
        client = browser(world.student)
        assert "Open the deliverable" in text_of(client.get(reverse("dashboard", args=[world.offering.slug])))
        handed_in(crew.proposal, world.classmate)
        assert "Open the deliverable" not in text_of(client.get(reverse("dashboard", args=[world.offering.slug])))

    def test_the_schedule_leads_to_it(self, world, crew, browser):
        assert page_of(crew.proposal) in text_of(
            browser(world.student).get(reverse("schedule", args=[world.offering.slug]))
        )


class TestReceipts:
    def test_the_mail_goes_to_every_author(self, world, crew, settings):
        settings.RECEIPT_MAIL = True
        handed_in(crew.proposal, world.student)
        assert mail_due_receipts() == 1
        message = mail.outbox[0]
        assert (message.to, message.cc) == ([world.student.user.email], [world.classmate.user.email])
        assert "Ada Lindqvist handed in for Kestrel" in message.body
        assert "Ada Lindqvist, Kofi Mensah; each of them gets this mail" in message.body

    def test_a_labs_receipt_goes_to_its_student_and_says_nothing_of_teams(self, world, settings):
        settings.RECEIPT_MAIL = True
        made = submit(world.lab, world.student)
        mail_due_receipts()
        assert mail.outbox[0].cc == []
        text = SignedReceipt.objects.get(submission=made).text
        assert '"team"' not in text
        assert '"authors"' not in text

    def test_it_names_all_and_is_genuine(self, world, crew, browser):
        made = handed_in(crew.proposal, world.student)
        finding = check_text(SignedReceipt.objects.get(submission=made).text)
        assert finding.genuine
        assert (finding.statement.team, finding.statement.authors) == ("Kestrel", ("Ada Lindqvist", "Kofi Mensah"))
        forged = SignedReceipt.objects.get(submission=made).text.replace("Kofi Mensah", "Mei Chen")
        assert not check_text(forged).genuine
        page = text_of(browser(world.classmate).get(reverse("submission-receipt", args=[made.pk])))
        assert "Kestrel: Ada Lindqvist, Kofi Mensah" in page

    def test_it_states_the_date_of_the_team(self, world, crew):
        later = crew.proposal.due_at + timedelta(days=2)
        ExtensionFactory(assignment=crew.proposal, enrollment=world.classmate, due_at=later)
        made = handed_in(crew.proposal, world.student)
        stated = check_text(SignedReceipt.objects.get(submission=made).text).statement
        assert stated.due_at == later.strftime("%Y-%m-%dT%H:%M:%SZ")


class TestStaff:
    def test_the_overview_lists_every_team_once(self, world, crew, browser, at):
        other = team(world.offering, person(world.offering, name="Mei Chen"), person(world.offering), name="Bittern")
        person(world.offering, name="Sven Eriksson")
        team_work(crew.proposal, crew.team)
        page = text_of(browser(world.ta).get(page_of(crew.proposal)))
        assert page.count("Kestrel") == 1
        assert "Ada Lindqvist, Kofi Mensah" in page
        assert "Mei Chen" in page
        assert "Sven Eriksson" in page
        assert "To grade" in page
        assert '1 <span class="muted">of 2 teams' in page
        assert "1 student" in page
        at(crew.proposal.due_at + timedelta(days=1))
        found = text_of(browser(world.ta).get(page_of(crew.proposal) + "?q=bittern"))
        assert other.name in found
        assert "Not handed in" in found
        assert "Kestrel" not in found

    def test_it_says_who_joined_after_the_submission(self, world, crew, browser):
        team_work(crew.proposal, crew.team)
        late = person(world.offering, name="Jin Watanabe")
        Membership.objects.create(team=crew.team, enrollment=late, joined_at=clock.now())
        assert "not the work of Jin Watanabe" in text_of(browser(world.ta).get(page_of(crew.proposal)))

    def test_it_asks_as_often_for_forty_teams_as_for_two(self, world, crew, browser):
        client, address = browser(world.ta), page_of(crew.proposal)

        def grow(count: int) -> None:
            for _ in range(count):
                made = team_work(crew.proposal, team(world.offering, person(world.offering), person(world.offering)))
                reviewed(made, world.ta, 8)
                person(world.offering)

        def queries() -> int:
            with CaptureQueriesContext(connection) as asked:
                assert client.get(address).status_code == 200
            return len(asked)

        grow(2)
        few = queries()
        grow(12)
        assert queries() == few

    @pytest.mark.usefixtures("crew")
    def test_slides_have_no_queue(self, world, browser):
        slides = deliverable(world.offering, "presentation")
        handed_in(slides, world.student)
        page = text_of(browser(world.ta).get(page_of(slides)))
        assert "are not in the queue" in page
        assert reverse("queue-assignment", args=[world.offering.slug, slides.slug]) not in page
        assert "by the talk" in page

    @pytest.mark.usefixtures("crew")
    def test_students_do_not_see_the_list_of_staff(self, world, browser):
        assert browser(world.student).get(reverse("deliverables", args=[world.offering.slug])).status_code == 404
        listed = text_of(browser(world.ta).get(reverse("deliverables", args=[world.offering.slug])))
        assert Deliverable.objects.get().assignment.title in listed
        assert "Add a deliverable" not in listed
