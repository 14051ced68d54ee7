"""The pages of regrade requests: the part on a score's page, the queue and its filters, and that typed text comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from config import clock
from courses.models import Role
from reviews.marking.scores import hand_scores
from reviews.releases.services import release
from reviews.requests.models import RegradeRequest
from reviews.requests.services import ask
from tests.factories import ReadingFactory, person, reported, reviewed, submit, summary

pytestmark = pytest.mark.django_db
WHY = "Item three is there, in my second paragraph."
BECAUSE = "I read it again, and this is what I found."
HOSTILE = "<script>alert('x')</script> and a sentence around it"


@pytest.fixture
def other_ta(world):
    return person(world.offering, Role.TA, name="Tomas Ferreira")


@pytest.fixture
def lab_work(world):
    world.lab.released_at = clock.now() - timedelta(hours=1)
    world.lab.save()
    return reported(submit(world.lab, world.student), 3.0, 4.0)


def scored(world, student, by):
    reading = ReadingFactory(assignment__offering=world.offering).assignment
    made = summary(reading, student)
    reviewed(made, by, *[1] * 6)
    release(assignment=reading, by=world.instructor.user, partial=True)
    return made


@pytest.fixture
def request_(world, other_ta):
    return ask(submission=scored(world, world.student, world.ta), item=None, reason=WHY)


def page_of(client, name: str, *args, **query) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def posted(request, **changes):
    """The answer form as the page shows it, with these changes."""
    review = request.submission.reviews.get()
    marks = {f"score-{mark.item_id}": str(mark.score) for mark in review.marks.all()}
    return {"answer": BECAUSE, "decision": "keep", "revision": str(review.revision), **marks, **changes}


def test_a_student_asks_on_the_page_of_a_released_score(world, lab_work, browser):
    client, item = browser(world.student), world.lab.rubric.items.get(task_id="1")
    assert "Ask for another look" in page_of(client, "submission", lab_work.pk)
    done = client.post(
        reverse("regrade-request-ask", args=[lab_work.pk]), {"item": item.pk, "reason": WHY}, follow=True
    )
    assert "with the course&#x27;s staff" in done.content.decode()
    page = page_of(client, "submission", lab_work.pk)
    assert WHY in page
    assert "Withdraw the request" in page
    assert "Ask for another look" not in page
    assert "Withdraw the request" not in page_of(browser(world.ta), "submission", lab_work.pk)


def test_the_page_of_a_score_that_is_not_released_offers_nothing(world, lab_work, browser):
    world.lab.released_at = None
    world.lab.save()
    client = browser(world.student)
    assert "Regrade requests" not in page_of(client, "submission", lab_work.pk)
    response = client.post(reverse("regrade-request-ask", args=[lab_work.pk]), {"reason": WHY})
    assert response.status_code == 422
    assert "not released yet" in response.content.decode()
    assert not RegradeRequest.objects.exists()


def test_the_last_moment_stands_on_the_page(world, lab_work, browser, at):
    page = page_of(browser(world.student), "submission", lab_work.pk)
    assert "Taken until" in page
    at(clock.now() + timedelta(days=30))
    assert "That has passed." in page_of(browser(world.student), "submission", lab_work.pk)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"reason": "short"}, "sentence at least"),
        ({"reason": WHY, "item": "999999"}, "an item of this score"),
        ({"reason": WHY, "item": "x"}, "an item of this score"),
        ({"reason": WHY * 200}, "below 5,000"),
    ],
)
def test_a_refused_request_comes_back_with_its_text(world, lab_work, browser, data, said):
    response = browser(world.student).post(reverse("regrade-request-ask", args=[lab_work.pk]), data)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert data["reason"][:40] in response.content.decode()
    assert not RegradeRequest.objects.exists()


def test_text_that_comes_after_the_window_comes_back_too(world, lab_work, browser, at):
    at(clock.now() + timedelta(days=30))
    response = browser(world.student).post(reverse("regrade-request-ask", args=[lab_work.pk]), {"reason": WHY})
    assert response.status_code == 422
    assert WHY in response.content.decode()


def test_text_of_students_and_staff_is_never_markup(world, other_ta, browser):
    request = ask(submission=scored(world, world.student, world.ta), item=None, reason=HOSTILE)
    browser(other_ta).post(
        reverse("regrade-request-answer", args=[world.offering.slug, request.pk]), posted(request, answer=HOSTILE)
    )
    assert RegradeRequest.objects.get().answer == HOSTILE
    for who, name, *args in (
        (world.student, "regrade-request", request.submission_id),
        (world.ta, "regrade-requests", world.offering.slug),
        (world.ta, "regrade-request-one", world.offering.slug, request.pk),
    ):
        page = page_of(browser(who), name, *args, **({"state": "all"} if name == "regrade-requests" else {}))
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_the_queue_has_the_oldest_first_and_a_badge(world, other_ta, browser, at):
    now = clock.now()
    requests = []
    for hours in (1, 3, 2):
        at(now - timedelta(hours=hours) + timedelta(days=1))
        requests.append(ask(submission=scored(world, person(world.offering), world.ta), item=None, reason=WHY))
    at(now + timedelta(days=1))
    page = page_of(browser(other_ta), "regrade-requests", world.offering.slug)
    order = [page.index(f"/requests/{requests[index].pk}/") for index in (1, 2, 0)]
    assert order == sorted(order)
    assert '<span class="nav-badge">3</span>' in page
    assert "nav-badge" not in page_of(browser(world.student), "dashboard", world.offering.slug)


def test_filters_stand_in_the_address(world, request_, lab_work, other_ta, browser):
    on_lab = ask(submission=lab_work, item=None, reason=WHY)
    client, slug = browser(world.ta), world.offering.slug

    def listed(**query):
        page = page_of(client, "regrade-requests", slug, **query)
        return {row.pk for row in (request_, on_lab) if f"/requests/{row.pk}/" in page}

    assert listed() == {request_.pk, on_lab.pk}
    assert listed(kind="lab") == {on_lab.pk}
    assert listed(kind="reading") == {request_.pk}
    assert listed(mine="1") == {on_lab.pk}
    assert listed(state="answered") == set()
    assert listed(state="nonsense", kind="nonsense", page="x") == {request_.pk, on_lab.pk}
    assert listed(page="999") == {request_.pk, on_lab.pk}
    assert "you graded it" in page_of(client, "regrade-requests", slug)


def test_a_request_that_nobody_graded_by_hand_is_in_every_graders_list(world, lab_work, browser):
    request = ask(submission=lab_work, item=None, reason=WHY)
    assert request.grader_before is None
    page = page_of(browser(world.ta), "regrade-requests", world.offering.slug, mine="1")
    assert f"/requests/{request.pk}/" in page


def test_the_grader_reads_the_work_and_cannot_answer_their_own(world, request_, browser):
    args = (world.offering.slug, request_.pk)
    page = page_of(browser(world.ta), "regrade-request-one", *args)
    assert "You graded this one" in page
    assert "Keep the score" not in page
    assert "The main ideas, as I see it." in page
    response = browser(world.ta).post(reverse("regrade-request-answer", args=args), posted(request_))
    assert response.status_code == 422
    assert BECAUSE in response.content.decode()
    assert RegradeRequest.objects.get().is_open


def test_a_score_is_changed_on_the_page_and_the_student_sees_it(world, request_, other_ta, browser):
    mark = request_.submission.reviews.get().marks.first()
    data = posted(request_, decision="change", **{f"score-{mark.item_id}": "2"})
    url = reverse("regrade-request-answer", args=[world.offering.slug, request_.pk])
    assert browser(other_ta).post(url, data).status_code == 302
    assert hand_scores([request_.submission])[request_.submission_id].total == 7
    page = page_of(browser(world.student), "regrade-request", request_.submission_id)
    assert "The score changed from 6 to 7." in page
    assert BECAUSE in page
    assert "Tomas Ferreira" in page
    # and may ask again, the history above it
    assert "Ask for another look" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decision": ""}, "press one of the two buttons"),
        ({"decision": "burn"}, "press one of the two buttons"),
        ({"decision": "change"}, "No item has other points"),
        ({"answer": "No."}, "sentence at least"),
        ({"revision": "x", "decision": "change", "first": "2"}, "Part of the page was lost"),
        ({"decision": "change", "first": "NaN"}, "must be a number"),
        ({"decision": "change", "first": "1e9"}, "takes 0 to 2 points"),
        ({"decision": "change", "first": "-1"}, "takes 0 to 2 points"),
        ({"decision": "change", "first": ""}, "No item has other points"),
        ({"decision": "keep", "first": "2"}, "You changed points"),
    ],
)
def test_a_bad_answer_comes_back_with_its_text(world, request_, other_ta, browser, *, changes, said):
    first = request_.submission.reviews.get().marks.first().item_id
    data = {f"score-{first}" if name == "first" else name: value for name, value in changes.items()}
    url = reverse("regrade-request-answer", args=[world.offering.slug, request_.pk])
    response = browser(other_ta).post(url, posted(request_, **data))
    assert response.status_code == 422
    assert said in response.content.decode()
    assert data.get("answer", BECAUSE) in response.content.decode()
    assert RegradeRequest.objects.get().is_open
    assert hand_scores([request_.submission])[request_.submission_id].total == 6


@pytest.mark.parametrize("days", ["", "-1", "121", "many", "9" * 30])
def test_a_window_that_is_no_number_of_days_is_refused(world, browser, days):
    response = browser(world.instructor).post(
        reverse("regrade-request-window", args=[world.offering.slug]), {"days": days}
    )
    assert response.status_code == 422
    world.offering.refresh_from_db()
    assert world.offering.regrade_window_days == 7


def test_requests_of_another_offering_are_not_there(world, request_, browser):
    args = [world.other_lab.offering.slug, request_.pk]
    assert browser(world.other_instructor).get(reverse("regrade-request-one", args=args)).status_code == 404
    assert browser(world.instructor).get(reverse("regrade-request-one", args=args)).status_code == 404


def test_many_requests_cost_no_more_queries(world, other_ta, browser):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = browser(other_ta)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            page_of(client, "regrade-requests", world.offering.slug)
        return len(asked)

    ask(submission=scored(world, world.student, world.ta), item=None, reason=WHY)
    few = queries()
    for _ in range(8):
        ask(submission=scored(world, person(world.offering), world.ta), item=None, reason=WHY)
    assert queries() == few
