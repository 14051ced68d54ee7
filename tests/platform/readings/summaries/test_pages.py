"""The reading page: who sees it when, saving, previews, versions, what is read-only, attempts, and what staff see."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from config import clock
from reviews.marking.models import Mark
from reviews.marking.services import adjust
from reviews.releases.services import release
from submissions.models import Draft, DraftVersion, Submission
from tests.factories import ReadingFactory, reviewed, submit, summary
from tests.platform.readings.summaries.posts import fields

pytestmark = pytest.mark.django_db


class TestWhoMay:
    def test_a_hidden_reading_is_not_there_for_students(self, world, listed, url, browser):
        listed.hidden = True
        listed.save()
        assert browser(world.student).get(url("reading")).status_code == 404
        assert browser(world.student).post(url("reading-submit"), {}).status_code == 404
        assert "hidden from students" in browser(world.ta).get(url("reading")).content.decode()

    def test_nor_is_an_archived_one_and_what_was_handed_in_stays(self, world, listed, url, browser):
        made = summary(listed.assignment, world.student)
        listed.archived_at, listed.hidden = clock.now(), True
        listed.save()
        assert browser(world.student).get(url("reading")).status_code == 404
        assert browser(world.student).get(reverse("summary", args=[made.pk])).status_code == 200
        assert "archived" in browser(world.ta).get(url("reading")).content.decode()

    def test_nor_is_one_that_is_not_open(self, world, reading, url, browser, at):
        at(reading.opens_at - timedelta(seconds=1))
        assert browser(world.student).get(url("reading")).status_code == 404
        assert browser(world.ta).get(url("reading")).status_code == 200

    def test_a_lab_is_no_reading(self, world, browser):
        for who in (world.student, world.ta):
            assert browser(who).get(reverse("reading", args=[world.offering.slug, "tiny"])).status_code == 404

    def test_a_draft_is_its_students_alone(self, world, get, save):
        save(fields(problem="only mine"))
        assert "only mine" in get()
        assert "only mine" not in get(who=world.classmate)
        assert "only mine" not in get(who=world.ta)


class TestWriting:
    def test_the_fields_carry_their_guiding_questions_and_the_papers_data(self, listed, get):
        page = get()
        assert "What problem does the paper address?" in page
        assert listed.paper.title in page
        assert page.count("<textarea") == 6
        assert "300 to 700" in page

    def test_the_editor_hears_json(self, save):
        assert save(fields(problem="one"), json=True).json()["revision"] == 1
        conflict = save(fields(problem="two"), json=True)
        assert conflict.status_code == 409
        assert conflict.json()["sources"]["problem"] == "one"
        assert conflict.json()["revision"] == 1
        long = save(fields(problem="x" * 60_000, revision=1), json=True)
        assert (long.status_code, "at most 50,000" in long.json()["detail"]) == (422, True)

    def test_a_plain_form_shows_both_texts_and_the_next_save_decides(self, save):
        save(fields(problem="one", impact="same") | {"tab": "a"})
        response = save(fields(problem="two", impact="same") | {"tab": "b"})
        page = response.content.decode()
        assert response.status_code == 422
        assert page.count('data-field="cell-') == 1
        assert 'name="revision" value="1"' in page
        assert save(fields(problem="two", revision=1)).status_code == 302
        assert Draft.objects.get().cells["problem"] == "two"
        assert {version.cells["problem"] for version in DraftVersion.objects.all()} == {"one", "two"}

    def test_a_draft_is_still_saved_after_the_due_moment(self, reading, save, at):
        at(reading.due_at + timedelta(seconds=5))
        answer = save(fields(problem="typed across"), json=True)
        assert answer.status_code == 200

    def test_a_preview_is_rendered_and_harmless(self, world, url, browser):
        text = "## Head\n\n**bold** $x^2$ <img src=x onerror=alert(1)> [l](javascript:alert(1))"
        page = browser(world.student).post(url("reading-preview"), {"text": text}).content.decode()
        assert "<strong>bold</strong>" in page
        assert 'class="math inline">x^2<' in page
        assert "<h5>Head</h5>" in page
        assert "<img" not in page
        assert 'href="javascript' not in page
        assert not Draft.objects.exists()

    def test_a_preview_without_end_is_refused(self, world, url, browser):
        response = browser(world.student).post(url("reading-preview"), {"text": "x" * 60_000})
        assert response.status_code == 422
        assert "at most" in response.content.decode()


class TestVersions:
    def test_they_are_listed_read_and_restored(self, world, url, browser, get, save):
        save(fields(problem="early thought"))
        save(fields(problem="late thought", revision=1))
        early = DraftVersion.objects.get(revision=1)
        page = get("reading-versions", show=early.pk)
        assert "early thought" in page
        assert page.count("Your draft now") == 1
        assert browser(world.student).post(url("reading-restore", early.pk)).status_code == 302
        assert Draft.objects.get().cells["problem"] == "early thought"
        assert DraftVersion.objects.filter(cells__problem="late thought").exists()

    def test_what_was_put_aside_says_so(self, get, save):
        save(fields(problem="one") | {"tab": "a"}, json=True)
        save(fields(problem="two") | {"tab": "b"}, json=True)
        assert "Put aside" in get("reading-versions")

    @pytest.mark.parametrize(
        "query", [{"show": "999999"}, {"show": "x"}, {"show": "9" * 30}, {"page": "-1"}, {"page": "x"}]
    )
    def test_an_odd_address_is_only_the_list(self, get, query):
        assert "There are no versions yet" in get("reading-versions", **query)

    def test_after_the_due_moment_they_can_be_read_and_not_restored(self, reading, get, save, at):
        save(fields(problem="one"))
        at(reading.due_at + timedelta(seconds=1))
        page = get("reading-versions", show=DraftVersion.objects.get().pk)
        assert ">one</pre>" in page
        assert "Make this my draft" not in page


class TestAfterwards:
    def test_what_was_handed_in_is_shown_and_nothing_can_be_changed(self, world, reading, get, at):
        summary(reading, world.student, {"problem": "First try."})
        summary(reading, world.student, {"problem": "It is **memory**."})
        at(reading.due_at + timedelta(seconds=1))
        page = get()
        assert "It is <strong>memory</strong>." in page
        assert "First try." not in page
        assert "<textarea" not in page
        assert 'type="file"' not in page

    def test_nothing_handed_in_says_so_with_the_second(self, reading, get, at):
        at(reading.due_at + timedelta(seconds=1))
        assert "Nothing was handed in." in get()

    def test_marks_are_shown_from_the_release_on(self, world, reading, get, at):
        made = summary(reading, world.student)
        reviewed(made, world.ta, 2, 2, 1, 0, 2, 2, comment="Read section 4 again.")
        Mark.objects.filter(item__task_id="ideas").update(comment="What about paging?")
        adjust(submission=made, points=Decimal(1), reason="Found an error in table 2.", by=world.ta.user)
        at(reading.due_at + timedelta(days=1))
        secret = ("Read section 4 again.", "What about paging?", "Found an error in table 2.", "Misses the point")
        page = get()
        assert "Graded, not released" in page
        assert not any(text in page for text in secret)
        reading.released_at = clock.now()
        reading.save()
        page = get()
        assert all(text in page for text in secret)
        assert ">10<small> / 12</small>" in page
        assert "+1" in page
        assert "Priya Raman" not in page

    def test_staff_see_marks_and_grader_at_once(self, world, reading, browser):
        made = summary(reading, world.student)
        reviewed(made, world.ta, comment="Fine.")
        page = browser(world.instructor).get(reverse("summary", args=[made.pk])).content.decode()
        assert "Fine." in page
        assert "Graded by Priya Raman" in page
        assert "Ada Lindqvist" in page


class TestOneAddressForAll:
    def test_a_submission_of_a_reading_leads_to_the_summary(self, world, reading, browser):
        made = summary(reading, world.student)
        response = browser(world.student).get(reverse("submission", args=[made.pk]))
        assert response.status_code == 302
        assert response.url == reverse("summary", args=[made.pk])

    def test_what_is_about_checks_is_not_there(self, world, reading, browser):
        made = summary(reading, world.student)
        client, item = browser(world.ta), reading.rubric.items.first()
        data = {"item": item.pk, "score": "1", "reason": "because"}
        assert client.get(reverse("submission-report", args=[made.pk])).status_code == 404
        for name in ("submission-override", "submission-release", "submission-regrade"):
            assert client.post(reverse(name, args=[made.pk]), data).status_code == 404

    def test_a_labs_submission_is_no_summary(self, world, browser):
        made = submit(world.lab, world.student)
        assert browser(world.student).get(reverse("summary", args=[made.pk])).status_code == 404

    def test_attempts_of_two_students_or_readings_cannot_be_compared(self, world, reading, url, browser):
        mine, theirs = summary(reading, world.student), summary(reading, world.classmate)
        other = summary(ReadingFactory(assignment__offering=world.offering).assignment, world.student)
        for pair in ((mine, theirs), (mine, other), (mine, mine)):
            url = reverse("summary-compare", args=[made.pk for made in pair])
            for who in (world.student, world.ta):
                assert browser(who).get(url).status_code == 404

    def test_two_attempts_are_compared_word_by_word(self, world, reading, browser):
        first = summary(reading, world.student, {"problem": "Memory is wasted.", "ideas": "<b>Paging</b>"})
        second = summary(reading, world.student, {"problem": "Memory is lost.", "ideas": "<b>Paging</b>"})
        response = browser(world.student).get(reverse("submission-compare", args=[second.pk, first.pk]), follow=True)
        page = response.content.decode()
        assert response.status_code == 200
        assert "<del>wasted.</del><ins>lost.</ins>" in page
        assert "&lt;b&gt;Paging" in page
        assert "1 word new, 1 gone" in page


def test_staff_see_the_rubric_and_how_many_handed_in(world, reading, get, save):
    summary(reading, world.student)
    reviewed(summary(reading, world.student), world.ta)
    save(fields(problem="begun"), who=world.classmate)
    reading.rubric.items.update(grader_note="Look for the word redundancy.")
    page = get(who=world.ta)
    assert '1 <span class="muted">/ 2</span>' in page
    assert "<dt>Only a draft</dt><dd>1</dd>" in page
    assert '<dt>Graded</dt><dd>1 <span class="muted">/ 1</span></dd>' in page
    assert "Misses the point" in page
    assert "redundancy" in page
    assert "redundancy" not in get()
    assert "<textarea" not in page


def test_staff_read_beside_the_counts_whether_students_see_their_scores(world, reading, get, at):
    reviewed(summary(reading, world.student), world.ta)
    at(reading.due_at + timedelta(minutes=1))
    before = get(who=world.ta)
    assert '<dt>Released</dt><dd>0 <span class="muted">/ 1</span></dd>' in before
    assert "Not released" in before
    release(assignment=reading, by=world.instructor.user)
    after = get(who=world.ta)
    assert '<dt>Released</dt><dd>1 <span class="muted">/ 1</span></dd>' in after
    assert "Not released" not in after
    summary(reading, world.classmate)
    assert "Released in part" in get(who=world.ta)


def test_a_submission_whose_student_dropped_is_still_shown_to_staff(world, reading, browser):
    made = summary(reading, world.dropped)
    assert Submission.objects.count() == 1
    assert browser(world.ta).get(reverse("summary", args=[made.pk])).status_code == 200
