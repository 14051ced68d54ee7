"""The pages of the queue, as a grader's browser asks for them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from reviews.marking.models import Adjustment, Claim, Review
from submissions import storage
from submissions.models import Source, Submission
from submissions.services import StoredFile, record_submission
from tests.factories import ExtensionFactory, reviewed, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(world, reading):
    return summary(reading, world.student)


def url(name, *more, query=""):
    def of(world):
        return reverse(name, args=[world.offering.slug, "r1", *more]) + query

    return of


def desk(world, work, query=""):
    return url("queue-submission", work.pk, query=query)(world)


def post(client, world, work, scores="222222", query="", **fields):
    items = list(work.assignment.rubric.items.all())
    marks = {f"mark-{item.pk}": score for item, score in zip(items, scores, strict=False)}
    return client.post(url("queue-save", work.pk, query=query)(world), {"revision": "0"} | marks | fields)


def text_of(response) -> str:
    return response.content.decode()


class TestReading:
    def test_the_text_stands_by_item_with_its_question(self, world, work, browser):
        told = text_of(browser(world.ta).get(desk(world, work)))
        for item in work.assignment.rubric.items.all():
            assert f"{item.title}, as I see it." in told
            assert item.description.replace("'", "&#x27;") in told

    def test_an_item_without_text_says_so(self, world, reading, browser):
        work = summary(reading, world.student, {"problem": "Only **this**.", "impact": " "})
        told = text_of(browser(world.ta).get(desk(world, work)))
        assert "<strong>this</strong>" in told
        assert told.count("Nothing written") == 5

    def test_what_a_student_wrote_never_runs(self, world, reading, browser):
        work = summary(reading, world.student, {"problem": "<script>alert(1)</script> <img src=x onerror=alert(2)>"})
        told = text_of(browser(world.ta).get(desk(world, work)))
        assert "alert(1)</script>" not in told
        assert "<img" not in told

    @pytest.mark.parametrize(
        ("name", "data", "shown"),
        [
            ("lindqvist.md", b"# Mine\n\nA *thought*.", "<em>thought</em>"),
            ("lindqvist.txt", b"<b>plain</b> words", "&lt;b&gt;plain&lt;/b&gt; words"),
            ("lindqvist.txt", b"\xff\xfe not UTF-8", "not UTF-8"),
            ("lindqvist.pdf", b"%PDF-1.7", "PDF file"),
            ("work.lindqvist", b"who knows", "file file"),
        ],
    )
    def test_an_upload_is_shown_or_offered_and_its_name_never_told(self, name, data, shown, *, world, reading, browser):
        file = StoredFile(name, storage.store(data), len(data))
        work = record_submission(
            assignment=reading,
            enrollment=world.student,
            files=[file],
            source=Source.UPLOAD,
            client_token=None,
            received_at=reading.opens_at,
            waiting_ahead=0,
            mail=False,
        )
        client = browser(world.ta)
        told = text_of(client.get(desk(world, work)))
        assert shown in told
        assert "lindqvist" not in told
        sent = client.get(url("queue-file", work.pk, work.files.get().pk)(world))
        assert b"".join(sent.streaming_content) == data
        assert "lindqvist" not in str(sent.headers).lower()
        assert sent.headers["Content-Disposition"].startswith("attachment")

    def test_what_is_not_in_the_queue_cannot_be_opened(self, world, reading, work, browser):
        again = summary(reading, world.student)
        assert browser(world.ta).get(desk(world, work)).status_code == 404
        ExtensionFactory(assignment=reading, enrollment=world.student)
        reading.extensions.update(due_at=reading.opens_at.replace(year=2999))
        assert browser(world.ta).get(desk(world, again)).status_code == 404
        assert post(browser(world.ta), world, again).status_code == 404
        assert not Review.objects.exists()


class TestNames:
    def test_no_page_tells_a_name_before_it_is_asked_for(self, world, work, browser):
        client = browser(world.ta)
        pages = (reverse("queue", args=[world.offering.slug]), url("queue-assignment")(world), desk(world, work))
        for page in pages:
            told = text_of(client.get(page))
            assert "Lindqvist" not in told
            assert world.student.user.email not in told

    def test_showing_names_is_on_record_and_ends(self, world, reading, work, browser):
        client = browser(world.ta)
        client.post(url("queue-names")(world), {"submission": str(work.pk)})
        assert "Ada Lindqvist" in text_of(client.get(desk(world, work)))
        assert "Ada Lindqvist" in text_of(client.get(url("queue-assignment")(world)))
        seen = AuditEvent.objects.get(action="names shown")
        assert (seen.actor, seen.subject_type, seen.subject_id) == (world.ta.user, "Assignment", reading.pk)
        client.post(url("queue-names")(world))
        assert "Lindqvist" not in text_of(client.get(desk(world, work)))
        assert AuditEvent.objects.filter(action="names shown").count() == 1

    def test_they_are_shown_to_who_asked_alone(self, world, work, browser, other_ta):
        browser(world.ta).post(url("queue-names")(world))
        assert "Lindqvist" not in text_of(browser(other_ta).get(desk(world, work)))


class TestSaving:
    def test_grade_next_opens_one_and_saving_opens_the_other(self, world, hand_ins, browser):
        works = {work.pk: work for work in hand_ins(2)}
        client = browser(world.ta)
        first = client.post(url("queue-next")(world)).url
        one = works[int(first.split("/")[-2])]
        second = post(client, world, one, "210210").url
        other = works[int(second.split("/")[-2])]
        assert one != other
        last = post(client, world, other)
        assert last.url == url("queue-assignment")(world)
        assert "Nothing is left for you here" in text_of(client.get(last.url))
        assert set(Review.objects.values_list("submission", flat=True)) == set(works)
        assert sum(mark.score for mark in one.reviews.get().marks.all()) == 6

    def test_a_missing_mark_is_named_and_what_was_typed_comes_back(self, world, work, browser):
        answer = post(
            browser(world.ta), world, work, "21", comment="A <whole> comment", staff_note="note", flagged="on"
        )
        told = text_of(answer)
        assert answer.status_code == 422
        assert "Not marked yet: The main ideas" in told
        for typed in ("A &lt;whole&gt; comment", "note</textarea>"):
            assert typed in told
        assert told.count("checked>") == 3  # two levels and the flag
        assert not Review.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"mark": "two"}, "The problem must be a number"),
            ({"mark": "NaN"}, "The problem must be a number"),
            ({"mark": "3"}, "The problem takes 0 to 2 points, not 3."),
            ({"mark": "-1"}, "The problem takes 0 to 2 points"),
            ({"mark": "1e400"}, "The problem must be a number"),
            ({"comment": "x" * 5001}, "The comment is too long: please keep it below 5,000 characters."),
            ({"comment": "a\x00b"}, "The comment cannot be stored"),
            ({"adjust_points": "some"}, "The adjustment must be a number"),
            ({"adjust_points": "1"}, "Please give a reason"),
            ({"adjust_points": "99", "adjust_reason": "because"}, "An adjustment is at most 12 points"),
            ({"adjust_reason": "because"}, "The adjustment has a reason and no points"),
            ({"revision": "soon"}, "cannot be stored"),
        ],
    )
    def test_bad_input_gets_a_sentence_and_stores_nothing(self, fields, sentence, world, work, browser):
        item = work.assignment.rubric.items.first()
        if "mark" in fields:
            fields = {f"mark-{item.pk}": fields["mark"]}
        answer = post(browser(world.ta), world, work, **fields)
        assert answer.status_code == 422
        assert sentence in text_of(answer).replace("&#x27;", "'")
        assert not Review.objects.exists()
        assert not Adjustment.objects.exists()

    def test_an_adjustment_is_saved_with_the_marks(self, world, work, browser):
        post(browser(world.ta), world, work, adjust_points="-1.5", adjust_reason="Copied the abstract.")
        made = Adjustment.objects.get()
        assert (made.points, made.made_by) == (Decimal("-1.5"), world.ta.user)
        assert "Copied the abstract." in text_of(browser(world.ta).get(desk(world, work)))

    def test_ticked_saved_comments_are_inserted_without_javascript(self, world, work, browser):
        item = work.assignment.rubric.items.first()
        fields = {f"comment-{item.pk}": "Mine.", f"saved-{item.pk}": ["First saved.", "Second saved."]}
        post(browser(world.ta), world, work, **fields)
        assert work.reviews.get().marks.first().comment == "Mine.\nFirst saved.\nSecond saved."

    def test_items_without_levels_take_any_points(self, world, reading, work, browser):
        item = reading.rubric.items.first()
        item.levels.all().delete()
        client = browser(world.ta)
        assert f'id="mark-{item.pk}"' in text_of(client.get(desk(world, work)))
        post(client, world, work, **{f"mark-{item.pk}": "1.25"})
        assert work.reviews.get().marks.first().score == Decimal("1.25")
        assert 'value="1.25"' in text_of(client.get(desk(world, work)))

    def test_points_that_are_no_level_stay_a_choice(self, world, work, browser):
        item = work.assignment.rubric.items.first()
        client = browser(world.ta)
        post(client, world, work, **{f"mark-{item.pk}": "1.5"})
        assert "As it stands" in text_of(client.get(desk(world, work)))


class TestTwoGraders:
    def test_the_second_to_save_sees_both_and_loses_nothing(self, world, work, browser, other_ta):
        reviewed(work, other_ta, 0, 0, 1, 0, 0, 0, comment="Thin.")
        answer = post(browser(world.ta), world, work, "222222", comment="Rich & good.")
        told = text_of(answer)
        assert answer.status_code == 409
        for words in ("Tomas Brandt has graded this one too", "Thin.", "Rich &amp; good.", 'name="revision" value="1"'):
            assert words in told
        assert work.reviews.get().grader == other_ta.user

    def test_mine_in_place_of_theirs_is_one_more_press(self, world, work, browser, other_ta):
        reviewed(work, other_ta, 0, 0, 0, 0, 0, 0)
        client = browser(world.ta)
        post(client, world, work)
        assert post(client, world, work, revision="1").status_code == 302
        assert (work.reviews.get().grader, work.reviews.get().revision) == (world.ta.user, 2)

    def test_the_page_says_who_reads(self, world, work, browser, other_ta):
        browser(other_ta).post(url("queue-next")(world))
        told = text_of(browser(world.ta).get(desk(world, work)))
        assert "Tomas Brandt reads this one now" in told
        assert "Tomas Brandt" in text_of(browser(world.ta).get(reverse("queue", args=[world.offering.slug])))

    def test_renewing_tells_who_holds_it(self, world, work, browser, other_ta):
        renew = url("queue-renew", work.pk)(world)
        assert browser(other_ta).post(renew).json() == {"held": True, "graded": False, "reader": ""}
        assert browser(world.ta).post(renew).json() == {"held": False, "graded": False, "reader": "Tomas Brandt"}
        reviewed(work, other_ta)
        assert browser(world.ta).post(renew).json()["graded"] is True

    def test_a_second_reading_is_an_empty_page_and_saves_beside_the_first(
        self, world, work, browser, other_ta, request
    ):
        client = browser(world.ta)
        plain = text_of(client.get(desk(world, work)))
        reviewed(work, other_ta, 0, 0, 0, 0, 0, 0, comment="SECRET")
        post(browser(other_ta), world, work, "000000", revision="1", adjust_points="-1", adjust_reason="SECRET")
        request.getfixturevalue("all_chosen")
        told = text_of(client.get(desk(world, work)))
        assert "SECRET" not in told
        assert _without_tokens(told) == _without_tokens(plain)
        assert post(client, world, work, "111111").status_code == 302
        assert [(review.purpose, review.grader) for review in work.reviews.all()] == [
            ("first", other_ta.user),
            ("second", world.ta.user),
        ]
        mine = text_of(client.get(desk(world, work)))
        assert "second" not in mine.lower().replace("renew-every", "")
        assert "SECRET" not in mine


class TestUndo:
    def test_the_last_save_comes_back_to_its_page_with_what_was_given(self, world, hand_ins, browser):
        works = {work.pk: work for work in hand_ins(2)}
        client = browser(world.ta)
        one = works[int(client.post(url("queue-next")(world)).url.split("/")[-2])]
        post(client, world, one, "012012")
        back = client.post(url("queue-undo")(world))
        assert back.url == desk(world, one)
        told = text_of(client.get(back.url))
        assert "Taken back: nothing is stored" in told
        assert told.count("checked>") == 6
        assert not Review.objects.exists()
        assert "Taken back" not in text_of(client.get(back.url))  # told once

    @pytest.mark.usefixtures("work")
    def test_there_may_be_nothing_to_take_back(self, world, browser):
        client = browser(world.ta)
        answer = client.post(url("queue-undo")(world))
        assert "no save of yours" in text_of(client.get(answer.url))

    def test_several_saves_are_taken_back_one_by_one(self, world, hand_ins, browser):
        client = browser(world.ta)
        for work in hand_ins(3):
            post(client, world, work)
        for left in (2, 1, 0):
            client.post(url("queue-undo")(world))
            assert Review.objects.count() == left

    def test_anothers_change_is_told_and_stays(self, world, work, browser, other_ta):
        client = browser(world.ta)
        post(client, world, work)
        post(browser(other_ta), world, work, "111111", revision="1")
        answer = client.post(url("queue-undo")(world))
        assert "Tomas Brandt has changed this one" in text_of(client.get(answer.url))
        assert work.reviews.get().grader == other_ta.user


class TestList:
    def rows(self, world, client, query):
        return [
            row.standing.submission_pk
            for row in client.get(url("queue-assignment", query=query)(world)).context["page"].rows
        ]

    def test_filters_of_the_address(self, world, hand_ins, browser, other_ta):
        mine, theirs, left = hand_ins(3)
        client = browser(world.ta)
        reviewed(theirs, other_ta)
        post(client, world, mine, flagged="on")  # what is left is hers from now on, since saving goes on to the next
        for show, found in {
            "all": {mine, theirs, left},
            "ungraded": {left},
            "mine": {mine, left},
            "graded": {mine, theirs},
            "flagged": {mine},
            "nonsense": {mine, theirs, left},
        }.items():
            assert set(self.rows(world, client, f"?show={show}")) == {work.pk for work in found}, show

    def test_a_receipt_number_finds_its_student_whatever_was_handed_in_since(
        self, world, reading, work, hand_ins, browser
    ):
        hand_ins(3)
        client = browser(world.ta)
        assert self.rows(world, client, f"?q=%23{work.pk}") == [work.pk]
        again = summary(reading, world.student)
        assert self.rows(world, client, f"?q={work.pk}") == [again.pk]
        assert "was replaced by a later submission" in text_of(
            client.get(url("queue-assignment", query=f"?q={work.pk}")(world))
        )

    @pytest.mark.parametrize("q", ["0", "999999", "#x", "٣", "9" * 20, "-1", "<b>"])
    @pytest.mark.usefixtures("work")
    def test_a_number_that_is_none_is_answered(self, q, world, browser):
        answer = browser(world.ta).get(url("queue-assignment")(world), {"q": q})
        assert answer.status_code == 200
        assert "has the receipt number" in text_of(answer)

    def test_a_filter_is_kept_from_page_to_page(self, world, hand_ins, browser):
        client = browser(world.ta)
        works = hand_ins(3)
        for work in works:
            post(client, world, work)
        order = self.rows(world, client, "?show=mine")
        told = text_of(client.get(url("queue-submission", order[0], query="?show=mine")(world)))
        assert f"/{order[1]}/?show=mine" in told
        first = Submission.objects.get(pk=order[0])
        answer = post(client, world, first, "000000", query="?show=mine", revision="1")
        assert answer.url.endswith(f"/{order[1]}/?show=mine")

    def test_skipping_frees_it_and_goes_on(self, world, hand_ins, browser):
        hand_ins(2)
        client = browser(world.ta)
        one = int(client.post(url("queue-next")(world)).url.split("/")[-2])
        other = int(client.post(url("queue-skip", one)(world)).url.split("/")[-2])
        assert other != one
        assert list(Claim.objects.values_list("submission", flat=True)) == [other]

    def test_progress_counts_each_graders_work(self, world, hand_ins, browser, other_ta):
        for work, by in zip(hand_ins(3), (world.ta, other_ta, other_ta), strict=True):
            reviewed(work, by)
        page = browser(world.ta).get(reverse("queue", args=[world.offering.slug])).context["page"]
        assert [(one.name, one.count) for one in page.graders] == [("Tomas Brandt", 2), ("Priya Raman", 1)]
        assert [(row.standings.graded, row.standings.mine, row.standings.left) for row in page.rows] == [(3, 1, 0)]

    def test_the_number_left_stands_in_the_navigation_of_staff(self, world, hand_ins, browser):
        hand_ins(4)
        told = text_of(browser(world.ta).get(reverse("people", args=[world.offering.slug])))
        assert '<span class="nav-badge">4</span>' in told


def _without_tokens(html: str) -> list[str]:
    """The page without what differs between any two requests."""
    return [line for line in html.splitlines() if "csrfmiddlewaretoken" not in line and "opened_at" not in line]
