"""Adjustments: made with a reason, withdrawn and put back, each with its line in the log."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from reviews.marking.adjustments import put_back, withdraw
from reviews.marking.models import Adjustment
from reviews.marking.scores import hand_scores
from reviews.marking.services import adjust
from tests.factories import ReadingFactory, reviewed, summary

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(world):
    made = summary(ReadingFactory(assignment__offering=world.offering).assignment, world.student)
    reviewed(made, world.ta, 1, 1, 1, 1, 1, 1)
    return made


def test_a_withdrawn_adjustment_counts_no_more_until_it_is_put_back(world, work):
    made = adjust(submission=work, points=Decimal(2), reason="a fine figure", by=world.ta.user)
    assert hand_scores([work])[work.pk].total == 8
    assert withdraw(adjustment=made, by=world.instructor.user) is True
    assert withdraw(adjustment=made, by=world.instructor.user) is False
    assert hand_scores([work])[work.pk].total == 6
    assert list(work.adjustments.all()) == []
    assert put_back(adjustment=made, by=world.ta.user) is True
    assert put_back(adjustment=made, by=world.ta.user) is False
    assert hand_scores([work])[work.pk].total == 8
    told = [(event.action, event.before, event.after) for event in AuditEvent.objects.all()[:2]]
    assert told == [
        ("put back an adjustment", "", "+2.00: a fine figure"),
        ("withdrew an adjustment", "+2.00: a fine figure", ""),
    ]


def test_the_way_through_the_page(world, work, browser):
    client = browser(world.ta)
    url = reverse("submission-adjust", args=[work.pk])
    page = client.post(url, {"points": "-1", "reason": "handed in as a photo"}, follow=True).content.decode()
    assert "−1" in page
    assert "handed in as a photo" in page
    made = Adjustment.objects.get()
    page = client.post(reverse("adjustment-withdraw", args=[made.pk]), follow=True).content.decode()
    assert "Put back" in page
    page = client.post(reverse("adjustment-restore", args=[made.pk]), follow=True).content.decode()
    assert "It counts again." in page
    assert Adjustment.objects.get() == made


@pytest.mark.parametrize(
    ("points", "reason", "sentence"),
    [
        ("", "because", "how many points"),
        ("many", "because", "Points are a number"),
        ("NaN", "because", "Points are a number"),
        ("0", "because", "and not 0"),
        ("13", "because", "at most 12 points"),
        ("1", "", "give a reason"),
        ("1", "x" * 2001, "below 2,000"),
        ("1.005", "because", "2 decimal"),
    ],
)
def test_what_is_refused_comes_back_with_the_sentence(*, world, work, browser, points, reason, sentence):
    response = browser(world.ta).post(
        reverse("submission-adjust", args=[work.pk]), {"points": points, "reason": reason}
    )
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert (response.context["page"].typed_points, response.context["page"].typed_reason) == (points, reason)
    assert not Adjustment.objects.exists()


def test_a_form_on_another_page_leads_back_there(world, work, browser):
    made = adjust(submission=work, points=Decimal(2), reason="a fine figure", by=world.ta.user)
    url = reverse("adjustment-withdraw", args=[made.pk])
    assert browser(world.ta).post(url, {"next": "/o/back/"}).url == "/o/back/"
    assert browser(world.ta).post(url, {"next": "//evil.example"}).url == reverse(
        "submission-adjustments", args=[work.pk]
    )
