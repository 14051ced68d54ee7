"""Tasks on resources that do one thing at a time: when each begins, when all is done, and a picture of it.

Idea      A GPU, a host, and the link between them in each direction work at once. A task waits for what it needs and for its
          resource; of those that are ready, a free resource takes the one that stands first in the list.
Equation  end ≥ max(the busiest resource, the longest chain of dependencies);   with everything overlapped both are equal
Paper     R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Applied Mathematics 17(2), 1969 (list schedules).
Cost      O(n log n) for n tasks, beside their dependencies.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Task:
    """Work of some seconds on a resource, once the tasks named in `after` have ended."""

    name: str
    resource: str
    seconds: float
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stretch:
    """When a task ran."""

    task: Task
    begun_at: float
    ended_at: float


@dataclass(frozen=True)
class Timeline:
    """A schedule: every task once, by the time it began."""

    stretches: tuple[Stretch, ...]

    @property
    def elapsed(self) -> float:
        """Seconds until the last task ended."""
        return max((stretch.ended_at for stretch in self.stretches), default=0.0)

    @property
    def resources(self) -> list[str]:
        """In the order of their first task."""
        return list(dict.fromkeys(stretch.task.resource for stretch in self.stretches))

    def busy(self, resource: str) -> float:
        """Seconds in which a resource worked."""
        return sum(stretch.task.seconds for stretch in self.stretches if stretch.task.resource == resource)

    def text(self, width: int = 72) -> str:
        """A line a resource; a column belongs to the task that fills most of it and shows its name's first letter, a dot is idle."""
        scale = self.elapsed / width or 1.0
        label = max((len(resource) for resource in self.resources), default=0)
        lines = []
        for resource in self.resources:
            columns = ["."] * width
            for stretch in self.stretches:
                if stretch.task.resource == resource:
                    first, last = round(stretch.begun_at / scale), round(stretch.ended_at / scale)
                    columns[first:last] = stretch.task.name[0] * (last - first)
            lines.append(f"{resource:{label}} |{''.join(columns)}|")
        return "\n".join(lines)

    def svg(self, width: int = 720, row: int = 24) -> str:
        """The same as SVG; tasks of one first letter have one colour, and each has its name and times as a title."""
        scale = width / (self.elapsed or 1.0)
        letters = sorted({stretch.task.name[0] for stretch in self.stretches})
        colour = {letter: f"hsl({360 * place // len(letters)} 55% 60%)" for place, letter in enumerate(letters)}
        height = row * len(self.resources)
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 90} {height}" role="img">']
        for line, resource in enumerate(self.resources):
            parts.append(f'<text x="0" y="{line * row + row * 0.7:g}" font-size="12">{escape(resource)}</text>')
            for s in self.stretches:
                if s.task.resource == resource:
                    title = escape(f"{s.task.name}: {s.begun_at:.4g} to {s.ended_at:.4g} s")
                    box = f'x="{90 + s.begun_at * scale:.2f}" y="{line * row + 2}" width="{s.task.seconds * scale:.2f}"'
                    parts.append(
                        f'<rect {box} height="{row - 4}" fill="{colour[s.task.name[0]]}"><title>{title}</title></rect>'
                    )
        return "".join([*parts, "</svg>"])


def simulate(tasks: Sequence[Task]) -> Timeline:
    """Runs tasks as a list schedule. Raises ValueError for a name that is there twice or not at all, or a circle of tasks."""
    _check(tasks)
    run = _Run(tasks)
    run.begin(0.0)
    while run.running:
        now = run.running[0][0]
        # all that ends now ends before anything begins, so that the list decides and not the order of ends
        while run.running and run.running[0][0] == now:
            run.end(heapq.heappop(run.running)[1])
        run.begin(now)
    if len(run.done) < len(tasks):
        stuck = [task.name for number, task in enumerate(tasks) if run.waits[number]]
        raise ValueError(f"These tasks wait for each other in a circle, so none can begin: {', '.join(stuck[:5])}.")
    return Timeline(tuple(run.done))


class _Run:
    """What is ready on each resource, by place in the list, and what runs, by when it ends."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        place = {task.name: number for number, task in enumerate(tasks)}
        self.waits = [len(set(task.after)) for task in tasks]
        self.followers: list[list[int]] = [[] for _ in tasks]
        self.ready: dict[str, list[int]] = {task.resource: [] for task in tasks}
        self.free = dict.fromkeys(self.ready, True)
        self.running: list[tuple[float, int]] = []
        self.done: list[Stretch] = []
        for number, task in enumerate(tasks):
            for name in set(task.after):
                self.followers[place[name]].append(number)
            if not task.after:
                self.ready[task.resource].append(number)

    def begin(self, now: float) -> None:
        """Gives each free resource the first of its ready tasks."""
        for resource, queue in self.ready.items():
            if queue and self.free[resource]:
                number = heapq.heappop(queue)
                ends = now + self.tasks[number].seconds
                self.free[resource] = False
                heapq.heappush(self.running, (ends, number))
                self.done.append(Stretch(self.tasks[number], now, ends))

    def end(self, number: int) -> None:
        """Frees a task's resource, and what waited for it alone."""
        self.free[self.tasks[number].resource] = True
        for follower in self.followers[number]:
            self.waits[follower] -= 1
            if not self.waits[follower]:
                heapq.heappush(self.ready[self.tasks[follower].resource], follower)


def _check(tasks: Sequence[Task]) -> None:
    names = {task.name for task in tasks}
    if len(names) < len(tasks):
        raise ValueError("Two tasks have one name; a dependency on it would be ambiguous.")
    for task in tasks:
        if task.seconds < 0:
            raise ValueError(f"Task {task.name} takes {task.seconds} s; a duration is 0 or more.")
        for name in task.after:
            if name not in names:
                raise ValueError(f"Task {task.name} waits for {name!r}, which is not among the tasks.")


def longest_chain(tasks: Sequence[Task]) -> float:
    """Seconds of the longest chain of dependencies; tasks come after those that they wait for."""
    ends: dict[str, float] = {}
    for task in tasks:
        ends[task.name] = task.seconds + max((ends[name] for name in task.after), default=0.0)
    return max(ends.values(), default=0.0)
