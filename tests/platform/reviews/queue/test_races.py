"""Several graders at the same moment never get the same submission, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

from reviews.marking.models import Claim, Review
from tests.platform.reviews.queue import racing


@pytest.mark.django_db(transaction=True)
def test_graders_who_ask_at_once_share_the_work(files_dir):
    reading, graders = racing.a_class()
    done = racing.grade_all(reading, graders)
    one_by_one = [pk for grader in done for pk in grader]
    assert len(one_by_one) == len(set(one_by_one)) == racing.STUDENTS
    assert set(Review.objects.values_list("revision", flat=True)) == {1}
    assert not Claim.objects.exists()


def test_the_same_on_postgresql(on_postgresql):
    told = on_postgresql(racing)
    one_by_one = [pk for grader in told["done"] for pk in grader]
    assert len(one_by_one) == len(set(one_by_one)) == racing.STUDENTS
    assert set(told["revisions"]) == {1}
    assert told["claims"] == 0
    assert sum(map(bool, told["done"])) > 1  # otherwise nobody raced
