"""What must come before what in a pipeline, written down from the definition: for tests of schedules."""

from __future__ import annotations

from itertools import pairwise

from mlsys_core.parallelism.pipeline import Kind, Schedule

Node = tuple[str, int, int]  # kind, microbatch, stage


def nodes_of(schedule: Schedule) -> list[list[Node]]:
    """The actions of each rank, in order."""
    return [
        [(a.kind, a.microbatch, a.chunk * schedule.ranks + rank) for a in actions]
        for rank, actions in enumerate(schedule.actions)
    ]


def earlier(schedule: Schedule) -> dict[Node, list[Node]]:
    """For each action those that it needs: forwards go up the stages, gradients down, weights follow their gradient; and the one
    before it on its rank."""
    lists = nodes_of(schedule)
    there = {node for nodes in lists for node in nodes}
    needs: dict[Node, list[Node]] = {}
    for kind, m, s in there:
        wanted = {
            Kind.FORWARD: [(Kind.FORWARD, m, s - 1)],
            Kind.WEIGHT: [(Kind.INPUT, m, s)],
            Kind.BACKWARD: [(Kind.FORWARD, m, s), (Kind.BACKWARD, m, s + 1)],
            Kind.INPUT: [(Kind.FORWARD, m, s), (Kind.INPUT, m, s + 1)],
        }[Kind(kind)]
        needs[kind, m, s] = [node for node in wanted if node in there]
    for nodes in lists:
        for before, after in pairwise(nodes):
            needs[after].append(before)
    return needs


def has_cycle(needs: dict[Node, list[Node]]) -> bool:
    """Whether no order keeps all of it: what needs nothing more is taken away until nothing changes."""
    left = dict(needs)
    while ready := [node for node, before in left.items() if not any(one in left for one in before)]:
        for node in ready:
            del left[node]
    return bool(left)
