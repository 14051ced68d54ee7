"""A whole semester in one test: sixty students, all components, and every final letter computed a second time without the product."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest

from gradebook.book.grades import grade_class
from gradebook.freezing.selectors import final_of
from gradebook.freezing.services import freeze
from gradebook.models import Component
from gradebook.presets import weights
from gradebook.services import set_weights
from gradebook.sources.collect import collect
from tests.semester.acts import Semester
from tests.semester.facts import Rules
from tests.semester.independent import final_letters

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]


def computed(semester: Semester) -> dict[str, tuple[Fraction, str]]:
    """By name, score and letter as the gradebook has them."""
    book = collect(semester.offering)
    grades = grade_class(book).students
    names = {student.pk: student.user.name for student in book.students}
    return {names[pk]: (grade.final.score, grade.letter.letter) for pk, grade in grades.items()}


def expected(semester: Semester, rules: Rules) -> dict[str, tuple[Fraction, str]]:
    return final_letters(list(semester.facts.values()), rules)


@pytest.mark.parametrize("seed", [2026, 498])
def test_final_letters_of_a_whole_semester(at, files_dir, tmp_path, seed):
    semester = Semester(at, seed, tmp_path)
    semester.go()
    rules = semester.rules
    assert sum(rules.weights.values()) == 100

    by_a = computed(semester)
    assert by_a == expected(semester, rules)
    assert len(by_a) == 57
    assert len({letter for _, letter in by_a.values()}) > 5  # a class in which letters differ

    set_weights(offering=semester.offering, weights=weights("B"), by=semester.instructor.user)
    rules.weights = {kind: int(weight) for kind, weight in weights("B").items()}
    by_b = computed(semester)
    assert by_b == expected(semester, rules)
    assert by_b != by_a

    Component.objects.filter(offering=semester.offering, kind="readings").update(drop_lowest=2)
    rules.drop_lowest_readings = 2
    dropped = computed(semester)
    assert dropped == expected(semester, rules)
    assert all(dropped[name][0] >= by_b[name][0] for name in by_b)

    freeze(offering=semester.offering, by=semester.instructor.user, note="as simulated")
    frozen = final_of(semester.offering)
    assert frozen is not None
    for student in semester.active:
        kept = frozen.content.students[student.pk]
        assert (kept.final, kept.letter.letter) == dropped[student.user.name], student.user.name
    table = "\n".join(f"{float(score):8.4f}  {letter:2}  {name}" for name, (score, letter) in sorted(dropped.items()))
    sys.stdout.write(f"\nseed {seed}, weights B, two lowest readings dropped\n{table}\n")
