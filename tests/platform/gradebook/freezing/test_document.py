"""The content of a snapshot: exact, canonical, the same whoever reads it, and its grades follow from its scores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradebook.book.grades import grade_class
from gradebook.freezing.document import canonical, document_of, sha256_of
from gradebook.freezing.frozen import NotAGradesFile, grades_follow, read
from gradebook.policies.services import change_scheme
from gradebook.sources.collect import collect
from tests.databases import environment
from tests.platform.gradebook.classes import random_scheme, random_scores, small_class

ROOT = Path(__file__).resolve().parents[4]


def text_of(offering):
    return canonical(document_of(offering, collect(offering)))


@pytest.mark.django_db
@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_kept_comes_back_exactly(world, seed):
    with transaction.atomic():
        offering, students = small_class(8)
        random_scores(offering, students, seed)
        change_scheme(offering=offering, spec=random_scheme(seed), by=None, reason="because")
        book = collect(offering)
        grades, text = grade_class(book), text_of(offering)
        frozen = read(text)
        assert frozen.policy == book.policy
        assert frozen.parts == book.parts
        assert frozen.scores == book.scores
        assert list(frozen.students) == [student.pk for student in book.students]
        for pk, grade in grades.students.items():
            kept = frozen.students[pk]
            assert (kept.final, kept.so_far, kept.letter) == (grade.final.score, grade.so_far.score, grade.letter)
        assert frozen.grades == grades
        assert grades_follow(text) == []
        assert canonical(json.loads(text)) == text
        transaction.set_rollback(True)  # the next example begins anew


@pytest.mark.django_db
def test_a_grade_that_was_tampered_with_does_not_follow(world):
    offering, students = small_class(3)
    random_scores(offering, students, 3)
    data = json.loads(text_of(offering))
    data["students"][1]["grade"]["final"] = "100"
    assert grades_follow(canonical(data)) == [data["students"][1]["name"]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"format":"gradlab-grades-1"}',
        '{"format":"gradlab-grades-1","students":3}',
        "[" * 100_000,
        '{"format":"gradlab-grades-1","offering":{},"parts":[],"students":[],"policy":{"components":[{"x":1}]}}',
    ],
)
def test_what_is_no_snapshot_is_said(text):
    with pytest.raises(NotAGradesFile):
        read(text)


# the same class, made by a process of its own in a database of its own
MAKE = """
import os, sys
import django
django.setup()
from datetime import UTC, datetime
from django.conf import settings
from config import clock
clock.now = lambda: datetime(2026, 4, 1, 12, tzinfo=UTC)
from tests.factories import OfferingFactory, CourseFactory
from tests.platform.gradebook.classes import random_scores, small_class
from gradebook.freezing.document import canonical, document_of, sha256_of
from gradebook.sources.collect import collect
offering, students = small_class(12, OfferingFactory(slug="same", course=CourseFactory(code="CS 1")))
random_scores(offering, students, 42)
sys.stdout.write(sha256_of(canonical(document_of(offering, collect(offering)))))
"""


def made_apart(url: str, data: Path, seed: str) -> str:
    """The hash of that class, in a process with its own order of sets and dicts."""
    around = environment(data, url, DJANGO_SETTINGS_MODULE="config.settings", PYTHONHASHSEED=seed)
    done = subprocess.run(
        [sys.executable, "-c", MAKE], cwd=ROOT, env=around, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_hash_is_the_same_in_other_processes_and_on_both_databases(tmp_path, migrated_sqlite, postgres_url):
    for seed in (1, 2):
        migrated_sqlite(tmp_path / str(seed))
    sqlite = [made_apart("", tmp_path / str(seed), str(seed)) for seed in (1, 2)]
    postgres = made_apart(postgres_url, tmp_path, "3")
    assert len(sqlite[0]) == 64
    assert sqlite == [postgres, postgres]


def test_the_hash_is_of_the_bytes():
    assert sha256_of("{}") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
