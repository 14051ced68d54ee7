"""The search for a fast schedule: generations of forms, ranked by the cost model, the best measured, everything logged.

Idea      Measuring is slow and predicting is fast, so many forms are bred, all are predicted, and only a few are built and timed; some of
          them at random, so that the model also learns where it is wrong. The log has every trial as steps: it can be stopped and resumed,
          and its best line replayed on its own.
Equation  next = the b - r best of the children by predicted time, and r random ones
Paper     L. Zheng et al., "Ansor: generating high-performance tensor programs for deep learning", OSDI 2020, section 5; T. Chen et al.,
          "Learning to optimize tensor programs", NeurIPS 2018.
Cost      Seconds a generation: b kernels built as one library and each run a few times.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from mlsys_core.compiler.build import Kernel, build
from mlsys_core.compiler.cost_model import CostModel, spearman
from mlsys_core.compiler.features import Features
from mlsys_core.compiler.interpreter import Array
from mlsys_core.compiler.ir import Tensor, text
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.schedule import Schedule, replay
from mlsys_core.compiler.space import Form, Space
from mlsys_core.compiler.stage import Step

BATCH, EXPLORED = 6, 2  # measured in a generation, and how many of them by chance
CHILDREN = 24
REPEATS = 9


@dataclass(frozen=True)
class Trial:
    """One measurement. `form` is what the search changes, `steps` what `replay` takes; times in seconds."""

    workload: str
    steps: list[Step]
    form: dict[str, Any]
    predicted_s: float
    seconds: float


def workload(tensor: Tensor) -> str:
    """What is computed, as a line of text: logs of other definitions, shapes and dtypes are not ours."""
    definition = tensor.compute
    assert definition is not None
    sizes = ", ".join(f"{axis.name}<{axis.extent}" for axis in definition.axes + definition.reduces)
    return f"{tensor.name}: {tensor.dtype}, {sizes}: {definition.op} {text(definition.body)}"


def read_log(path: Path, tensor: Tensor) -> list[Trial]:
    """The trials of a definition, oldest first; none where there is no log. A line that was cut off is left out."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [trial for trial in map(_parsed, lines) if trial is not None and trial.workload == workload(tensor)]


def _parsed(line: str) -> Trial | None:
    try:
        return Trial(**json.loads(line))
    except json.JSONDecodeError:
        return None


def best(trials: list[Trial]) -> Trial:
    """The fastest. Raises ValueError where there is none."""
    if not trials:
        raise ValueError("The log has no trial of this definition; tune it first.")
    return min(trials, key=lambda trial: trial.seconds)


def best_schedule(path: Path, tensor: Tensor) -> Schedule:
    """The fastest schedule of a log, made again from its steps."""
    return replay([tensor], best(read_log(path, tensor)).steps)


@dataclass
class Tuner:
    """A search over a definition, which goes on from what its log has.

    inputs    arrays by name
    expected  what the definition gives for them; every kernel that is timed must give it too, within `tolerance` of its largest element
    """

    space: Space
    log: Path
    inputs: Mapping[str, Array]
    expected: Array
    seed: int = 0
    tolerance: float = 1e-4
    model: CostModel = field(default_factory=CostModel)
    folder: Path | None = None

    def __post_init__(self) -> None:
        self.trials = read_log(self.log, self.space.tensor)
        # another stretch of the search is not to breed the same children again
        self.rng = random.Random(self.seed + len(self.trials))  # noqa: S311 - no secrets
        self.seen = [self._features(trial.steps) for trial in self.trials]

    def _features(self, steps: list[Step]) -> Features:
        return self.model.look(replay([self.space.tensor], steps).lower())

    def run(self, *, seconds: float) -> Trial:
        """Searches for at least so long, a generation at least, and returns the fastest trial so far."""
        end = perf_counter() + seconds
        while True:
            self.generation()
            if perf_counter() >= end:
                return best(self.trials)

    def generation(self) -> None:
        """Breeds, ranks, measures and logs."""
        if len(self.trials) > BATCH:
            self.model.fit(self.seen, [trial.seconds for trial in self.trials])
        bred = list(self._bred())
        by_time = sorted(bred, key=lambda one: one[3])
        chosen = by_time[: BATCH - EXPLORED]
        others = by_time[BATCH - EXPLORED :]
        chosen += self.rng.sample(others, min(EXPLORED, len(others)))
        programs = [schedule.lower(f"candidate_{n}") for n, (_, schedule, _, _) in enumerate(chosen)]
        kernels = build(*programs, folder=self.folder)
        for (form, schedule, seen, predicted), kernel in zip(chosen, kernels, strict=True):
            trial = Trial(workload(self.space.tensor), schedule.steps, _as_json(form), predicted, self.measure(kernel))
            self._keep(trial, seen)

    def _bred(self) -> Iterator[tuple[Form, Schedule, Features, float]]:
        """Children with their schedules and predicted times; forms that describe no schedule are passed over."""
        elite = [_form(t) for t in sorted(self.trials, key=lambda t: t.seconds)[:BATCH]]
        made, known = 0, {_form(trial) for trial in self.trials}
        for _ in range(20 * CHILDREN):
            form = self._child(elite)
            try:
                schedule = self.space.schedule(form)
            except ScheduleError:
                continue
            if form in known:
                continue
            known.add(form)
            seen = self.model.look(schedule.lower())
            yield form, schedule, seen, self.model.predict(seen)
            made += 1
            if made == CHILDREN:
                return

    def _child(self, elite: list[Form]) -> Form:
        chance = self.rng.random()
        if not elite or chance < 1 / 4:
            return self.space.draw(self.rng)
        if chance < 1 / 2:
            return self.space.cross(self.rng.choice(elite), self.rng.choice(elite), self.rng)
        return self.space.mutate(self.rng.choice(elite), self.rng)

    def measure(self, kernel: Kernel) -> float:
        """The least of a few runs. Raises ArithmeticError where the result is not the definition's."""
        held = kernel.allocate(**self.inputs)
        kernel.run(held)
        found = held[self.space.tensor.name]
        worst = float(np.max(np.abs(found - self.expected))) / max(1.0, float(np.max(np.abs(self.expected))))
        if not worst <= self.tolerance:
            raise ArithmeticError(
                f"A schedule changed the result by {worst:.2g}, more than {self.tolerance:g}; its C text is:\n{kernel.source}"
            )
        # what one thread took of a core, where there is one: other work on the machine does not count
        clock, times = perf_counter if self.space.parallel else thread_time, []
        for _ in range(REPEATS):
            start = clock()
            kernel.run(held)
            times.append(clock() - start)
        return min(times)

    def _keep(self, trial: Trial, seen: Features) -> None:
        self.trials.append(trial)
        self.seen.append(seen)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        before = self.log.read_text() if self.log.exists() else ""
        with self.log.open("a") as file:
            # a line that was cut off stays alone
            file.write(("" if before.endswith("\n") or not before else "\n") + json.dumps(asdict(trial)) + "\n")

    def rank_correlation(self, since: int = 0) -> float:
        """Spearman's correlation of predicted and measured times, of the trials from number `since` on."""
        trials = self.trials[since:]
        return spearman([t.predicted_s for t in trials], [t.seconds for t in trials])


def _as_json(form: Form) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(form).items()}


def _form(trial: Trial) -> Form:
    """The form of a trial, which JSON has as lists."""
    return Form(**{name: tuple(value) if isinstance(value, list) else value for name, value in trial.form.items()})  # type: ignore[arg-type]
