"""The final letters of a semester, computed a second time from what happened, by counting and with fractions. Nothing of the product."""

from __future__ import annotations

from fractions import Fraction

from tests.semester.facts import Attempt, Marked, Rules, Student

LETTERS = ["A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D", "F"]
CUTOFFS = [95, 90, 85, 80, 75, 70, 65, 60, 55, 50, 0]
SHARES = [5, 10, 15, 15, 15, 15, 5, 5, 5, 5, 5]


def participation(student: Student, rules: Rules) -> Fraction:
    absent = sum(presence == "absent" for presence in student.presences)
    counted = absent + sum(presence == "present" for presence in student.presences)
    costly = max(0, absent - rules.free_absences)
    attended = Fraction(counted - costly, counted)
    took_part = min(Fraction(1), student.participation / rules.participation_target)
    return (attended * (100 - rules.participation_percent) + took_part * rules.participation_percent) / 100


def lab(attempts: list[Attempt]) -> Fraction:
    best = Fraction(0)
    for attempt in attempts:
        reached = sum(attempt.overrides.get(task, points) for task, points in attempt.points.items())
        best = max(best, reached / sum(attempt.out_of.values()))
    return best


def by_hand(work: Marked | None) -> Fraction:
    if work is None:
        return Fraction(0)
    return Fraction(min(max(sum(work.marks) + work.adjustment, 0), work.out_of), work.out_of)


def talk(student: Student) -> Fraction:
    if not student.spoke:
        return Fraction(0)
    halves = []
    if student.staff_marks:
        marks = [mark for one in student.staff_marks for mark in one]
        halves.append(Fraction(sum(marks), len(marks)))
    if student.class_marks:
        halves.append(Fraction(sum(student.class_marks), len(student.class_marks)))
    return sum((half - 1) / 4 for half in halves) / len(halves) if halves else Fraction(0)


def parts(student: Student, rules: Rules) -> dict[str, dict[str, Fraction]]:
    """By component, each part's share; what is excused is not in it."""
    found = {
        "participation": {"participation": participation(student, rules)},
        "labs": {f"lab:{slug}": lab(student.labs.get(slug, [])) for slug in rules.labs},
        "readings": {f"reading:{slug}": by_hand(student.readings.get(slug)) for slug in rules.readings},
        "presentation": {"presentation": talk(student)},
    }
    for stage in ("proposal", "midterm", "final"):
        found[stage] = {f"deliverable:{stage}": by_hand(student.reports.get(stage))}
    for shares in found.values():
        for key in list(shares):
            shares[key] = student.decided.get(key, shares[key])
            if key in student.excused:
                del shares[key]
    return found


def final_score(student: Student, rules: Rules) -> Fraction:
    gained = carried = Fraction(0)
    for component, shares in parts(student, rules).items():
        kept = sorted(shares.values())
        if component == "readings":
            kept = kept[min(rules.drop_lowest_readings, max(len(kept) - 1, 0)) :]
        if kept:
            gained += rules.weights[component] * sum(kept) / len(kept)
            carried += rules.weights[component]
    return 100 * gained / carried


def final_letters(students: list[Student], rules: Rules) -> dict[str, tuple[Fraction, str]]:
    """Score and letter of everyone who did not drop, by name."""
    scores = {student.name: final_score(student, rules) for student in students if not student.dropped}
    result = {}
    for name, score in scores.items():
        absolute = next(place for place, cutoff in enumerate(CUTOFFS) if score >= cutoff)
        above = sum(other > score for other in scores.values())
        end, relative = 0, len(SHARES) - 1
        for place, share in enumerate(SHARES):
            end += share
            if 100 * above < end * len(scores):
                relative = place
                break
        result[name] = (score, LETTERS[min(absolute, relative)])
    return result
