"""The fastest step that fits the GPU: a plan from an integer program, improved by simulation, and a search that proves it.

Idea      The program assumes that everything overlaps; the simulator knows what does not. From the program's plan and the uniform
          ones, layers change their choice one at a time while the simulated step gets shorter. Then all plans are searched, and
          those that cannot be faster are left out: their busiest resource, or the longest chain behind a layer, takes too long.
Equation  step ≥ max(Σ_l load(l, x_l, r),   Σ forward + Σ_{j≥l} backward_j + tail(l, x_l))   for each resource r and layer l
Paper     A. H. Land, A. G. Doig, "An automatic method of solving discrete programming problems", Econometrica 28(3), 1960.
Cost      5 L simulations a round of improvement; the search simulates at most `limit` plans and looks at the beginnings
          of 20 times as many, and says when it had to stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mlsys_core.parallelism.offload.program import CHOICES, Choices, bound, overlapped
from mlsys_core.parallelism.offload.simulator import simulate
from mlsys_core.parallelism.offload.step import (
    IN,
    RESOURCES,
    Choice,
    Layer,
    Machine,
    load,
    memory_cost,
    tasks_of,
)


@dataclass(frozen=True)
class Plan:
    """A choice a layer, how many layers ahead weights are fetched, and what comes of it.

    seconds   of the step, simulated
    bound     seconds of the plan's busiest resource: `seconds` if everything overlapped
    memory    bytes on the GPU at the peak
    proven    whether every other plan was seen to be no faster
    """

    choices: Choices
    distance: int
    seconds: float
    bound: float
    memory: float
    proven: bool


@dataclass
class _Search:
    """The best plan so far for one prefetch distance, and how many plans may still be simulated."""

    machine: Machine
    layers: Sequence[Layer]
    distance: int
    limit: int
    best: Choices = ()
    seconds: float = float("inf")
    seen: dict[Choices, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = range(len(self.layers))
        self.loads = [[load(self.machine, self.layers, n, c) for c in CHOICES] for n in numbers]
        # what the layers from n on need of each resource at least
        self.rest = [
            {r: sum(min(each[r] for each in per) for per in self.loads[n:]) for r in RESOURCES}
            for n in range(len(self.layers) + 1)
        ]

    def fits(self, choices: Choices) -> bool:
        return memory_cost(self.layers, choices, self.distance) <= self.machine.memory

    def try_(self, choices: Choices) -> float:
        """Simulates a plan once and keeps it where it is the best."""
        if choices not in self.seen:
            tasks = tasks_of(self.machine, self.layers, choices, self.distance)
            self.seen[choices] = simulate(tasks).elapsed
            if self.seen[choices] < self.seconds:
                self.best, self.seconds = choices, self.seen[choices]
        return self.seen[choices]

    def improve(self) -> None:
        """Changes one layer at a time while that helps."""
        before = float("inf")
        while self.seconds < before:
            before, at = self.seconds, self.best
            for changed in _neighbours(at):
                if self.fits(changed):
                    self.try_(changed)

    def prove(self) -> bool:
        """Looks at all plans that could be faster; False where the limit came first."""
        stack: list[Choices] = [()]
        for _ in range(20 * self.limit):
            if not stack:
                return True
            begun = stack.pop()
            if not self._may_be_faster(begun):
                continue
            if len(begun) == len(self.layers):
                if len(self.seen) >= self.limit:
                    return False
                self.try_(begun)
            else:
                stack.extend((*begun, choice) for choice in CHOICES)
        return False

    def _may_be_faster(self, begun: Choices) -> bool:
        kept = (*begun, *[Choice.WEIGHTS_FLOW] * (len(self.layers) - len(begun)))
        least = memory_cost(self.layers[: len(begun)], begun, self.distance) if begun else 0.0
        least += sum(layer.activations for layer in self.layers[len(begun) :])
        if least > self.machine.memory or (len(begun) == len(self.layers) and not self.fits(kept)):
            return False
        rest = self.rest[len(begun)]
        own = [self.loads[n][CHOICES.index(choice)] for n, choice in enumerate(begun)]
        busiest = max(rest[r] + sum(each[r] for each in own) for r in RESOURCES)
        return max([busiest, *(self._chain(n, choice) for n, choice in enumerate(begun))]) < self.seconds

    def _chain(self, number: int, choice: Choice) -> float:
        """Seconds of all passes down to a layer's gradient, and of what follows it."""
        passes = sum(layer.flops for layer in self.layers) + 2 * sum(layer.flops for layer in self.layers[number:])
        need = self.loads[number][CHOICES.index(choice)]
        before_adam = need[IN] if choice.weights_on_host or choice.states_flow else 0.0
        own = 3 * self.layers[number].flops / self.machine.flops
        tail = sum(need.values()) - before_adam - own
        return passes / self.machine.flops + tail


def _neighbours(choices: Choices) -> Iterator[Choices]:
    for place in range(len(choices)):
        for choice in CHOICES:
            if choice is not choices[place]:
                yield (*choices[:place], choice, *choices[place + 1 :])


def plan_step(
    machine: Machine, layers: Sequence[Layer], distances: Sequence[int] = (0, 1, 2, 3), limit: int = 1000
) -> Plan:
    """The plan with the shortest simulated step; ValueError where not even everything on the host fits.

    `limit` is the number of plans that may be simulated for each prefetch distance.
    """
    found: list[_Search] = []
    proven = True
    for distance in distances:
        search = _Search(machine, layers, distance, limit)
        relaxed = overlapped(machine, layers, distance)
        for choices in (relaxed, *((choice,) * len(layers) for choice in CHOICES)):
            if choices is not None and search.fits(choices):
                search.try_(choices)
        if search.best:
            search.improve()
        # a plan that fits may be left even where neither the program's nor a uniform one does
        proven = search.prove() and proven
        if search.best:
            found.append(search)
    if not found:
        least = min(memory_cost(layers, (choice,) * len(layers), min(distances)) for choice in CHOICES)
        raise ValueError(
            f"The GPU has {machine.memory / 1e9:.3g} GB, and activations and buffers need {least / 1e9:.3g} GB with every weight "
            "on the host: use smaller layers, or keep fewer activations."
        )
    best = min(found, key=lambda search: (search.seconds, search.distance))
    return Plan(
        best.best,
        best.distance,
        best.seconds,
        bound(machine, layers, best.best),
        memory_cost(layers, best.best, best.distance),
        proven,
    )
