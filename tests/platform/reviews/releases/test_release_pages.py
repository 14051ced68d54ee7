"""The page of a release and its forms, as people use them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from config import clock
from reviews.releases.models import Release
from tests.factories import person, submit, summary

pytestmark = pytest.mark.django_db


def url(graded, name: str, *rest) -> str:
    return reverse(name, args=[graded.reading.offering.slug, graded.reading.slug, *rest])


def text_of(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_preview_counts_the_class_and_lists_each_score(world, graded, browser):
    summary(graded.reading, graded.zoe)
    page = browser(world.ta).get(url(graded, "release")).context["page"]
    counts = page.counts
    assert (counts.students, counts.handed_in, counts.new, counts.ungraded, counts.nothing) == (3, 3, 2, 1, 0)
    assert (page.scores, page.median) == ((6, 10), 8)
    assert [(row.enrollment.user.name, row.state) for row in page.rows] == [
        ("Zoe Last", "ungraded"),
        ("Ada Lindqvist", "ready"),
        ("Kofi Mensah", "ready"),
    ]


def test_staff_look_and_instructors_act(world, graded, browser):
    assert "An instructor releases the scores." in text_of(browser(world.ta).get(url(graded, "release")))
    assert "Release 2 scores" in text_of(browser(world.instructor).get(url(graded, "release")))


def test_the_whole_way_by_plain_forms(world, graded, browser, at):
    now = clock.now()
    at(now)
    client = browser(world.instructor)
    page = text_of(client.post(url(graded, "release-now"), follow=True))
    assert "2 scores are released" in page
    made = Release.objects.get()
    assert "Undo this release" in page
    assert "The release is undone" in text_of(client.post(url(graded, "release-undo", made.pk), follow=True))
    client.post(url(graded, "release-now"))
    again = Release.objects.first()
    at(now + timedelta(hours=1))
    page = text_of(client.get(url(graded, "release")))
    assert "Undo this release" not in page
    assert "Take these scores back" in page
    refused = text_of(client.post(url(graded, "release-retract", again.pk), {"reason": ""}, follow=True))
    assert "Please give a reason" in refused
    done = text_of(client.post(url(graded, "release-retract", again.pk), {"reason": "wrong key"}, follow=True))
    assert "The scores are hidden again" in done
    assert "“wrong key”" in done


def test_a_refusal_says_what_to_tick(world, graded, browser):
    summary(graded.reading, graded.zoe)
    client = browser(world.instructor)
    assert "Tick that the others follow later" in text_of(client.post(url(graded, "release-now"), follow=True))
    client.post(url(graded, "release-now"), {"partial": "yes"})
    assert Release.objects.get().items.count() == 2


def test_a_release_of_another_assignment_is_not_there(world, graded, browser):
    submit(world.lab, world.student)
    client = browser(world.instructor)
    client.post(url(graded, "release-now"))
    made = Release.objects.get()
    elsewhere = reverse("release-undo", args=[world.offering.slug, world.lab.slug, made.pk])
    assert client.post(elsewhere).status_code == 404
    assert Release.objects.standing().count() == 1


def test_a_long_class_comes_in_pages_and_can_be_searched(world, graded, browser):
    for _ in range(120):
        person(world.offering)
    client = browser(world.ta)
    first, second = (client.get(url(graded, "release"), {"page": number}).context["page"].rows for number in (1, 2))
    assert (len(first), len(second)) == (100, 23)
    found = client.get(url(graded, "release"), {"q": "LINDQVIST"}).context["page"].rows
    assert [row.enrollment.user.name for row in found] == ["Ada Lindqvist"]
    assert "Nobody matches" in text_of(client.get(url(graded, "release"), {"q": "nobody of that name"}))
    for odd in ("x", "0", "-3", "99999999999999999999", "٣"):
        assert client.get(url(graded, "release"), {"page": odd}).status_code == 200
