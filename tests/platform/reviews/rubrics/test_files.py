"""A rubric as a file, and copied from another assignment: read into the editor, and never saved by that."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from courses.models import Role
from reviews.models import Rubric
from reviews.rubrics.files import RubricFileRefused, from_file, to_file
from reviews.rubrics.models import RubricChange
from reviews.rubrics.spec import for_another, same_content
from tests.factories import EnrollmentFactory, ReadingFactory

pytestmark = pytest.mark.django_db


def url_of(world, name) -> str:
    return reverse(name, args=[world.offering.slug, "proposal"])


def test_a_file_holds_the_whole_rubric_and_no_ids(stored):
    spec = stored()
    data = to_file(spec)
    read = json.loads(data)
    assert read["gradlab_rubric"] == 1
    assert read["items"][1] == {
        "title": "Plan",
        "points": 4,
        "name": "plan",
        "levels": [
            {"key": "4", "points": 4, "label": "level 4"},
            {"key": "2", "points": 2, "label": "level 2"},
            {"key": "0", "points": 0, "label": "level 0"},
        ],
    }
    assert same_content(for_another(from_file(data), spec), spec)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"items": []}', "cannot be read"),
        (b'{"gradlab_rubric": 2, "items": []}', "format 2"),
        (b'{"gradlab_rubric": 1, "items": [{"title": "a"}]}', r"points.*items\[0\]"),
        (b'{"gradlab_rubric": 1, "items": [{"title": "a", "points": 1, "pk": 7}]}', "pk"),
        (b'{"gradlab_rubric": 1, "items": [{"title": "a", "points": "NaN"}]}', "no number of points"),
        (b'{"gradlab_rubric": 1, "items": [{"title": "a", "points": "1e999999"}]}', "no number of points"),
        (b" " * 200_001, "larger than any rubric"),
    ],
)
def test_what_is_no_rubric_is_refused_with_the_place(world, proposal, browser, data, sentence):
    with pytest.raises(RubricFileRefused, match=sentence):
        from_file(data)
    response = browser(world.instructor).post(
        url_of(world, "rubric-read"), {"file": SimpleUploadedFile("rubric.json", data)}, follow=True
    )
    assert response.status_code == 200
    assert len(response.context["messages"]) == 1


def test_a_file_opens_in_the_editor_over_the_items_of_the_same_name(world, proposal, stored, browser):
    data = {
        "gradlab_rubric": 1,
        "items": [{"name": "plan", "title": "The plan", "points": 3}, {"title": "Risk", "points": "1.5"}],
    }
    file = SimpleUploadedFile("rubric.json", json.dumps(data).encode())
    page = browser(world.instructor).post(url_of(world, "rubric-read"), {"file": file}).context["page"]
    assert [(row.uid, row.title.value, row.points.value) for row in page.items] == [
        (str(stored().items[1].pk), "The plan", "3"),
        ("new2", "Risk", "1.5"),
    ]
    assert not RubricChange.objects.exists()


def test_a_rubric_that_is_wrong_still_opens_and_is_mended_there(world, proposal, browser):
    data = {
        "gradlab_rubric": 1,
        "items": [{"title": "", "points": -3, "levels": [{"key": "ab", "points": 9, "label": ""}]}],
    }
    file = SimpleUploadedFile("rubric.json", json.dumps(data).encode())
    client = browser(world.instructor)
    page = client.post(url_of(world, "rubric-read"), {"file": file}).context["page"]
    assert page.items[0].points.value == "-3"


def test_the_download_is_what_is_stored(world, stored, browser):
    response = browser(world.ta).get(url_of(world, "rubric-file"))
    assert response.headers["Content-Disposition"] == 'attachment; filename="rubric-proposal.json"'
    assert response.content == to_file(stored())


def test_only_rubrics_of_offerings_whose_staff_one_is_can_be_copied(world, proposal, browser):
    mine = ReadingFactory(assignment__offering=world.offering).assignment
    theirs = ReadingFactory(assignment__offering=world.other_lab.offering, assignment__slug="theirs").assignment
    client = browser(world.instructor)
    offered = [source.pk for source in client.get(url_of(world, "rubric")).context["page"].sources]
    assert offered == [mine.rubric.pk]
    page = client.post(url_of(world, "rubric-read"), {"source": mine.rubric.pk}).context["page"]
    assert [row.name for row in page.items][:2] == ["problem", "impact"]
    for source in (theirs.rubric.pk, world.lab.rubric.pk, Rubric.objects.get(assignment=proposal).pk, "x", "9" * 30):
        assert client.post(url_of(world, "rubric-read"), {"source": source}).status_code == 404
    EnrollmentFactory(offering=theirs.offering, user=world.instructor.user, role=Role.TA)
    assert client.post(url_of(world, "rubric-read"), {"source": theirs.rubric.pk}).status_code == 200
