"""The search measures only what is right, writes down what it did, goes on where it stopped, and its log makes the schedule again."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from mlsys_core.compiler import operators as ops
from mlsys_core.compiler import tune as tuning
from mlsys_core.compiler.interpreter import reference, run
from mlsys_core.compiler.ir import placeholder
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.space import Space
from mlsys_core.compiler.tune import Tuner, best, best_schedule, read_log, workload
from tests.mlsys_core.compiler.draws import DEFINITIONS, inputs_of, product


@pytest.fixture(autouse=True)
def _small_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "BATCH", 3)
    monkeypatch.setattr(tuning, "EXPLORED", 1)
    monkeypatch.setattr(tuning, "CHILDREN", 6)


def tuner(log: Path, folder: Path, **options) -> Tuner:
    tensor = product(9, 20, 33, "float32")
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((9, 20), (20, 33)))
    given = {"expected": a @ b, "seed": 1, "folder": folder} | options
    return Tuner(Space(tensor), log, {"A": a, "B": b}, **given)


def test_a_search_that_stops_goes_on_and_its_log_replays(tmp_path, folder):
    log = tmp_path / "log.jsonl"
    first = tuner(log, folder)
    found = first.run(seconds=0)
    assert len(first.trials) == 3
    assert found.seconds == min(t.seconds for t in first.trials) > 0
    with log.open("a") as file:
        file.write('{"workload": "cut o')  # the process was killed while it wrote
    second = tuner(log, folder)
    assert second.trials == first.trials
    second.generation()
    forms = [json.dumps(t.form) for t in second.trials]
    assert len(set(forms)) == len(forms) == 6
    assert read_log(log, second.space.tensor) == second.trials
    assert -1 <= second.rank_correlation() <= 1
    schedule = best_schedule(log, second.space.tensor)
    assert schedule.steps == best(second.trials).steps
    inputs = inputs_of(schedule, 2)
    np.testing.assert_array_equal(run(schedule.lower(), inputs)["C"], inputs["A"] @ inputs["B"])


def test_a_schedule_that_changed_the_result_would_stop_the_search(tmp_path, folder):
    wrong = tuner(tmp_path / "log", folder, expected=np.zeros((9, 33), np.float32))
    with pytest.raises(ArithmeticError, match=r"changed the result by (.|\n)*void candidate_"):
        wrong.generation()
    missing = tuner(tmp_path / "log", folder, expected=np.full((9, 33), np.nan, np.float32))
    with pytest.raises(ArithmeticError):
        missing.generation()
    assert not (tmp_path / "log").exists()


def test_a_log_is_of_one_definition(tmp_path, folder):
    log = tmp_path / "log.jsonl"
    mine = tuner(log, folder)
    mine.generation()
    assert read_log(log, product(9, 20, 34, "float32")) == []
    assert read_log(log, product(9, 20, 33, "float64")) == []
    assert workload(product(9, 20, 33, "float32")) == "C: float32, i<9, j<33, k<20: + A[i, k] * B[k, j]"
    with pytest.raises(ValueError, match="no trial of this definition"):
        best_schedule(log, product(1, 1, 1, "float32"))


@pytest.mark.parametrize("made", DEFINITIONS)
def test_forms_are_schedules_that_keep_the_result(made):
    """Of every kind of definition, whatever the sizes; mutants and children too."""
    rng, tried = random.Random(made.__name__), 0
    space = Space(made(5, 3, 7, "int32"), parallel=True)
    for _ in range(40):
        form = space.cross(space.mutate(space.draw(rng), rng), space.draw(rng), rng)
        try:
            schedule = space.schedule(form)
        except ScheduleError:
            continue
        tried += 1
        inputs = inputs_of(schedule, tried)
        if tried <= 6:
            np.testing.assert_array_equal(run(schedule.lower(), inputs)["C"], reference(space.tensor, inputs))
    assert tried >= 5


def test_a_mutant_differs_in_one_blank_and_a_child_has_each_from_a_parent():
    rng, space = random.Random(0), Space(product(64, 64, 64, "float32"))
    for _ in range(50):
        one, other = space.draw(rng), space.draw(rng)
        changed = [name for name, value in asdict(space.mutate(one, rng)).items() if value != asdict(one)[name]]
        assert len(changed) <= 1
        child = asdict(space.cross(one, other, rng))
        assert all(value in (asdict(one)[name], asdict(other)[name]) for name, value in child.items())


def test_what_a_definition_reads_may_be_defined_too():
    x, b = placeholder("X", (4, 5), "int32"), placeholder("B", (5, 6), "int32")
    space = Space(ops.matmul(ops.elementwise("A", lambda e: e + 1, x), b))
    rng = random.Random(1)
    form = next(f for f in iter(lambda: space.draw(rng), None) if max(f.packs) <= 0)
    schedule = space.schedule(form)
    inputs = inputs_of(schedule, 0)
    np.testing.assert_array_equal(run(schedule.lower(), inputs)["C"], (inputs["X"] + 1) @ inputs["B"])
