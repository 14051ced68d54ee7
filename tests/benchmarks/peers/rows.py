"""Measures one system and variant: prepares its folder, runs it single, watched, in a batch and with two processes, and cheats."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import mean, median

from . import gradlab, table
from .assignment import Variant
from .environments import CACHE, environment
from .measure import Cost, Peak, metered
from .peers import PEERS, Peer
from .submissions import BUGGY, FULL, Submission, System, batch, cheats
from .worker import Answer


@dataclass
class Run:
    """How much is measured, and what was found on the way that does not go into the table."""

    batch: int
    runs: int
    samples: int
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def check(self, what: str, scores: Sequence[float | None], wanted: Sequence[Submission]) -> None:
        """Note the submissions that did not get the points that they are worth."""
        wrong = [one.name for one, score in zip(wanted, scores, strict=True) if score != one.honest]
        if wrong:
            self.problems.append(
                f"- {what}: {len(wrong)} of {len(wanted)} scores are not what they should be: {wrong[:6]}."
            )
        print(f"{what}: {len(wanted) - len(wrong)} of {len(wanted)} graded right", file=sys.stderr, flush=True)


def peer_row(run: Run, system: System, variant: Variant, *, torch: bool) -> table.Row:
    """Everything about one peer and variant. Its cheats do not depend on the variant and are tried in the plain one."""
    students = batch(run.batch)
    frauds = cheats(system) if variant is Variant.PLAIN else []
    tools = environment(system, torch=torch)
    peer = PEERS[system](CACHE / f"{system}-{variant}", tools, variant, [FULL, BUGGY, *frauds, *students])
    row = table.Row(peer.label, variant)
    _graded(run, row, peer, lambda: peer.single(BUGGY.name), [BUGGY])  # also warms the disk's cache
    row.cheats = {fraud.name: _cheated(peer, fraud.name) for fraud in frauds}
    singles = [_graded(run, row, peer, lambda: peer.single(FULL.name), [FULL]) for _ in range(run.runs)]
    row.single_wall_s, row.single_cpu_s = (
        median(getattr(cost, part) for cost in singles) for part in ("wall_s", "cpu_s")
    )
    with Peak() as peak:
        _graded(run, row, peer, lambda: peer.single(FULL.name), [FULL])
    row.peak_mib = peak.mib
    one, two = (_graded(run, row, peer, lambda n=n: peer.batch(n), students) for n in (1, 2))
    row.batch_wall_s, row.batch_cpu_s = one.wall_s / run.batch, one.cpu_s / run.batch
    row.two_wall_s, row.two_cpu_s = two.wall_s / run.batch, two.cpu_s / run.batch
    return row


def _graded(run: Run, row: table.Row, peer: Peer, act: Callable[[], None], wanted: Sequence[Submission]) -> Cost:
    """The cost of one run on a clean folder, its scores checked."""
    peer.reset()
    with metered() as cost:
        act()
    scores = peer.scores()
    run.check(f"{row.system}, {row.variant}", [scores.get(one.name) for one in wanted], wanted)
    return cost


def _cheated(peer: Peer, name: str) -> float:
    peer.reset()
    peer.single(name)
    return peer.scores().get(name, 0.0)


def gradlab_rows(run: Run, variant: Variant) -> list[table.Row]:
    """Gradlab's first grade, Gradlab warm, and the same checks in the worker's own process."""
    students, frauds = batch(run.batch), cheats(System.GRADLAB)
    folder = gradlab.write_folder(CACHE / f"gradlab-{variant}", variant, [FULL, BUGGY, *frauds, *students])
    with gradlab.Worker(folder) as one, gradlab.Worker(folder) as two:
        first = _asked(run, variant, [one], [[FULL]])
        _asked(run, variant, [two], [[FULL]])
        samples = list(islice(cycle((FULL, BUGGY)), run.samples))
        (found,) = _asked(run, variant, [one], [samples], beside=True)
        whole = _asked(run, variant, [one], [students])
        middle = (len(students) + 1) // 2
        halves = _asked(run, variant, [one, two], [students[:middle], students[middle:]])
        caught = one.grade([fraud.name for fraud in frauds])
    name = f"Gradlab, {found.sandbox}"
    cold = table.Row(f"{name}: first grade", variant, first[0].walls_s[0], first[0].cpu_s)
    warm = table.Row(name, variant, median(found.walls_s), found.cpu_s / run.samples, *_each(whole), *_each(halves))
    warm.peak_mib = _peak_mib(folder, students)
    warm.cheats = dict(zip([fraud.name for fraud in frauds], caught.scores, strict=True))
    return [cold, warm, _beside_row(run, variant, found)]


def _beside_row(run: Run, variant: Variant, found: Answer) -> table.Row:
    """The same checks without walls; notes what the judge takes above that, submission by submission."""
    run.lines.append(table.overhead_line(variant, [a - b for a, b in zip(found.walls_s, found.beside_s, strict=True)]))
    cpu_s = found.beside_cpu_s / len(found.beside_s)
    name = "the same checks in one imported process, no walls"
    return table.Row(name, variant, median(found.beside_s), cpu_s, mean(found.beside_s))


def _asked(
    run: Run,
    variant: Variant,
    workers: Sequence[gradlab.Worker],
    parts: Sequence[Sequence[Submission]],
    *,
    beside: bool = False,
) -> list[Answer]:
    """Each worker's answer for its part, the scores checked."""
    answers = gradlab.at_once(workers, [[one.name for one in part] for part in parts], beside=beside)
    for answer, part in zip(answers, parts, strict=True):
        run.check(f"Gradlab, {variant}", answer.scores, part)
    return answers


def _each(answers: Sequence[Answer]) -> tuple[float, float]:
    """Wall and CPU seconds a submission, of workers that ran side by side."""
    count = sum(len(answer.scores) for answer in answers)
    wall = max(answer.to_s for answer in answers) - min(answer.from_s for answer in answers)
    return wall / count, sum(answer.cpu_s for answer in answers) / count


def _peak_mib(folder: gradlab.LabFolder, students: Sequence[Submission]) -> float:
    """Of a worker from its start to its second grade, with the fork server and the runs behind the walls."""
    with gradlab.Worker(folder) as worker, Peak() as peak:
        worker.grade([student.name for student in students[:2]])
    return peak.mib
