"""What checks are written with: comparisons, the points curve, seeds, and the same files in plain pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from grader.checks.expect import CheckFailed, Expect
from grader.checks.measure import Measure, curve
from grader.contract import Suite, Verdict
from tests.support import ADD, SCALE, plain_environment


@pytest.fixture
def expect() -> Expect:
    return Expect()


@pytest.mark.parametrize(
    ("got", "want", "words"),
    [
        (np.zeros((4, 3)), np.zeros((4, 1)), "returned float64 (4, 3), expected float64 (4, 1)"),
        (np.zeros(3, "float32"), np.zeros(3), "returned float32 (3,), expected float64 (3,)"),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), "1 values that are not finite"),
        (np.array([1.0, 2.5]), np.array([1.0, 2.0]), "largest error 0.5"),
        ([1.0], np.array([1.0]), "returned a list"),
        (None, np.array([1.0]), "returned nothing"),
        (np.float64(3.0).reshape(1), np.array(3.0), "expected float64 ()"),
    ],
)
def test_a_difference_is_told_in_words(expect, got, want, words):
    with pytest.raises(CheckFailed, match="x: ") as failed:
        expect.close(got, want, what="x")
    assert words in str(failed.value)


def test_close_accepts_what_lies_within_tolerance_and_nothing_else(expect):
    rng = np.random.default_rng(0)
    for _ in range(50):
        want = rng.normal(size=tuple(rng.integers(0, 4, size=2)))
        expect.close(want + 0.9e-9, want, atol=1e-9, rtol=0)
        if want.size:
            with pytest.raises(CheckFailed):
                expect.close(want + 1.1e-9, want, atol=1e-9, rtol=0)


def test_the_table_shows_the_first_wrong_value(expect):
    want, got = np.arange(100.0), np.arange(100.0)
    got[57] = -1
    with pytest.raises(CheckFailed) as failed:
        expect.close(got, want)
    difference = failed.value.difference
    assert [difference.got_values[i] for i in difference.mismatches] == ["-1"]
    assert difference.expected_values[difference.mismatches[0]] == "57"


@pytest.mark.parametrize(("value", "share"), [(1.0, 1.0), (1.5, 1.0), (6.0, 0.0), (60.0, 0.0), (3.0, 0.5)])
def test_points_follow_the_log_curve(value, share):
    assert curve(value, full_at=1.5, zero_at=6.0) == pytest.approx(share)


def test_more_can_be_better(expect):
    assert curve(0.75, full_at=0.75, zero_at=0.25) == 1
    assert curve(0.0, full_at=0.75, zero_at=0.25) == 0


@pytest.mark.parametrize(
    ("predicted", "measured", "share"),
    [(100, 100, 1), (109, 100, 1), (91, 100, 1), (200, 100, 0), (50, 100, 0), (0, 100, 0), (5, 0, 0), (1e300, 1, 0)],
)
def test_a_prediction_gets_points_by_how_far_it_is_off(predicted, measured, share):
    found = Measure().prediction("the bytes", predicted, measured, tolerance=0.1)
    assert found.fraction == share
    assert found.value >= 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("full_at", [1.0, 3.0], ids=["less is better", "more is better"])
def test_a_quantity_that_is_no_finite_number_fails_its_check(value, full_at):
    """JSON has no such number: a report that held one could be stored and never read again."""
    measure = Measure()
    with pytest.raises(CheckFailed, match="which is no finite number"):
        measure.ratio("perplexity", value, full_at=full_at, zero_at=2.0)
    assert measure.recorded is None


def test_a_prediction_is_told_beside_what_was_measured():
    measure = Measure()
    found = measure.prediction("the bytes", 1500, 1000, tolerance=0.1, unit="B")
    assert found is measure.recorded
    assert found.name == "between the bytes as you predicted, 1,500 B, and as measured, 1,000 B"
    assert found.value == 1.5
    assert 0 < found.fraction < 1
    assert found.fraction == measure.prediction("the bytes", 1000, 1500, tolerance=0.1).fraction, "both ways alike"


class Unmetered:
    """A program whose use of the processor nobody counts."""

    def processor_s(self):
        return None


@pytest.mark.parametrize(
    "got", [10**400, -(1 << 70), 1 + 2j, np.array([1 + 2j, 2]), np.array([True, False]), [1.0], {"a": 1}, "1.5"]
)
def test_whatever_comes_back_is_compared_and_never_breaks_the_comparison(expect, got):
    for want in (np.array([1.0, 2.0]), np.float32(1.5), 3):
        with pytest.raises(CheckFailed):
            expect.close(got, want)
        with pytest.raises(CheckFailed):
            expect.equal(got, want)


def test_complex_arrays_are_compared_by_their_distance(expect):
    expect.close(np.array([1 + 1j]), np.array([1 + 1j]))
    with pytest.raises(CheckFailed, match="largest error 5"):
        expect.close(np.array([4 + 5j]), np.array([1 + 1j]))


def test_equal_looks_into_lists_and_their_types(expect):
    expect.equal([1, {"a": np.arange(3)}], [1, {"a": np.arange(3)}])
    for got in (
        [1.0, {"a": np.arange(3)}],
        [1, {"a": np.arange(4)}],
        [1],
        [1, {"b": np.arange(3)}],
        [True, {"a": np.arange(3)}],
    ):
        with pytest.raises(CheckFailed):
            expect.equal(got, [1, {"a": np.arange(3)}])


def test_interleaved_timing_of_a_thing_with_itself_is_about_one():
    work = np.random.default_rng(0).normal(size=(200, 200))
    ratio = Measure().interleaved(lambda: work @ work, lambda: work @ work, rounds=31, of=(Unmetered(), Unmetered()))
    assert ratio.low <= ratio.ratio <= ratio.high
    assert 0.3 < ratio.ratio < 3


@pytest.mark.parametrize(("dtype", "narrower"), [("float32", "float16"), ("float64", "float32")])
def test_a_tolerance_follows_from_the_dtype(dtype, narrower):
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(40, 300)).astype(dtype), rng.normal(size=(300, 30)).astype(dtype)
    exact = a.astype("longdouble") @ b.astype("longdouble")
    other_order = sum(np.outer(a[:, k], b[k]) for k in rng.permutation(300))
    Expect().near(other_order, exact, dtype, roundings=4 * 300**0.5)
    with pytest.raises(CheckFailed, match="largest error"):
        Expect().near((a.astype(narrower) @ b.astype(narrower)).astype(dtype), exact, dtype, roundings=4 * 300**0.5)
    with pytest.raises(CheckFailed, match=f"expected {dtype}"):
        Expect().near(exact.astype(narrower), exact, dtype)


def test_the_same_seed_repeats_a_report_byte_for_byte_but_for_times(grade_source):
    wrong = "def add(a, b):\n    print('here')\n    return a - b\n" + SCALE
    first, again = (_without_times(grade_source(wrong, seed=5)) for _ in range(2))
    assert first == again
    assert first != _without_times(grade_source(wrong, seed=6))


def _without_times(report):
    checks = tuple(msgspec.structs.replace(check, duration_ms=0.0) for check in report.checks)
    return msgspec.structs.replace(report, duration_ms=0.0, checks=checks).to_json()


def test_the_same_seed_repeats_a_report_and_another_draws_anew(grade_source):
    wrong = "def add(a, b):\n    return a - b\n" + SCALE
    first, again, other = (grade_source(wrong, seed=seed).checks[0] for seed in (5, 5, 6))
    assert first.comparison == again.comparison
    assert first.comparison != other.comparison


def test_public_runs_leave_hidden_checks_out(grade_source):
    report = grade_source(ADD + SCALE, suite=Suite.PUBLIC)
    assert not any(check.hidden for check in report.checks)
    assert report.max_score == 8


def test_a_hidden_check_shows_its_student_the_title_and_hint_only(grade_source):
    source = "def add(a, b):\n    assert a.size, f'hidden input {a.shape}'\n    return a + b\n" + SCALE
    report = grade_source(source)
    hidden = next(check for check in report.checks if check.hidden)
    assert "hidden input" in hidden.message
    shown = next(check for check in report.for_student(show_hidden=False).checks if check.hidden)
    assert (shown.message, shown.output, shown.comparison) == ("", "", None)
    assert shown.hint == "Think of arrays without elements."


def test_partial_work_keeps_the_points_of_what_is_right(grade_source):
    report = grade_source(ADD)
    assert [check.verdict for check in report.checks] == [Verdict.PASSED] * 2 + [Verdict.ERROR] * 2
    assert report.score == 6


def test_progress_is_told_check_by_check(grade_source):
    seen = []
    grade_source(ADD + SCALE, on_event=seen.append)
    kinds = [type(event).__name__ for event in seen]
    assert kinds == ["JobStarted"] + ["CheckStarted", "CheckFinished"] * 4
    assert [info.name for info in seen[0].checks] == [e.result.name for e in seen if hasattr(e, "result")]


def test_the_same_files_run_in_plain_pytest(lab_copy):
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(lab_copy / "checks"),
        "-q",
        "-p",
        "grader.checks.plugin",
        "-p",
        "no:cacheprovider",
    ]
    command += [
        "-c",
        "/dev/null",
        f"--rootdir={lab_copy}",
        "-o",
        f"pythonpath={lab_copy / 'checks'} {Path.cwd()}",
        "--import-mode=importlib",
    ]
    done = subprocess.run(command, env=plain_environment(), capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout, done.stdout + done.stderr
