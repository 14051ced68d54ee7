"""SGLang: keys and values of what requests have in common are computed once, if requests come in the right order.

Idea      Prompts form a tree: instructions that all begin with, examples that some share, a question of each one's own. A cache that gives
          up what was used longest ago holds a branch as long as requests stay on it. Branch after branch, everything is computed once.
Equation  tokens computed at least: those of the tree;   best hit rate = 1 - tree / Σ prompts;   depth-first reaches it with room for the
          longest prompt
Paper     L. Zheng et al., "SGLang: efficient execution of structured language model programs", NeurIPS 2024, section 3, theorem 3.1.
Cost      A replay visits three nodes a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

Node = tuple[int, ...]  # () for what all share, (group,), (group, request)


@dataclass(frozen=True)
class Workload:
    """Requests in groups: `common` tokens that all begin with, `shared` ones of each group, `own` ones of each request."""

    groups: int
    requests: int
    common: int
    shared: int
    own: int

    @property
    def prompt(self) -> int:
        """Tokens of a request."""
        return self.common + self.shared + self.own

    @property
    def tree(self) -> int:
        """Tokens of all prompts together, where what is shared counts once."""
        return self.common + self.groups * (self.shared + self.requests * self.own)

    @property
    def best_hit_rate(self) -> float:
        """The part of all tokens that need not be computed when each of the tree is computed once."""
        return 1 - self.tree / (self.groups * self.requests * self.prompt)

    def as_they_come(self) -> list[Node]:
        """A request of each group in turn."""
        return [(group, request) for request in range(self.requests) for group in range(self.groups)]

    def depth_first(self) -> list[Node]:
        """Group after group."""
        return sorted(self.as_they_come())

    def path(self, request: Node) -> tuple[tuple[Node, int], ...]:
        """The nodes from the root to a request, with their tokens."""
        return ((), self.common), (request[:1], self.shared), (request, self.own)


class Cache:
    """Tokens of nodes, of which those used longest ago go first; a parent is used whenever its child is, so leaves go before it."""

    def __init__(self, workload: Workload, size: int) -> None:
        if size < workload.prompt:
            raise ValueError(f"A cache of {size} tokens cannot hold a prompt of {workload.prompt}: make it larger.")
        self.workload, self.size, self.used = workload, size, 0
        self._held: dict[Node, int] = {}  # in the order of their last use

    def serve(self, request: Node) -> int:
        """Computes what is missing and gives up what is too much; returns the tokens that were held."""
        found = 0
        for node, tokens in reversed(self.workload.path(request)):
            held = self._held.pop(node, 0)
            found, self.used = found + held, self.used + tokens - held
            self._held[node] = tokens
        while self.used > self.size:
            oldest = next(iter(self._held))
            gone = min(self._held[oldest], self.used - self.size)
            self.used -= gone
            self._held[oldest] -= gone
            if not self._held[oldest]:
                del self._held[oldest]
        return found


def hit_rate(workload: Workload, order: Iterable[Node], size: int) -> float:
    """The part of all tokens that is held when its turn comes, in a given order."""
    cache = Cache(workload, size)
    return sum(cache.serve(request) for request in order) / (workload.groups * workload.requests * workload.prompt)


# served depth first by a radix tree that has room for one prompt, the tokens that it had to compute were counted
COUNTED = (
    (Workload(8, 2, 64, 512, 96), 5_696),
    (Workload(4, 8, 64, 448, 128), 5_952),
    (Workload(16, 16, 256, 1024, 64), 33_024),
    (Workload(2, 64, 512, 3072, 32), 10_752),
)
COMPUTED = Table(
    "Tokens that are computed depth first with room for one prompt, counted in the library's radix tree",
    "Groups × requests, tokens that all, groups and none share",
    ("Tokens",),
    tuple(
        Row(f"{w.groups} × {w.requests}, {w.common} + {w.shared} + {w.own}", (Cell(counted, w.tree, 0),))
        for w, counted in COUNTED
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    workload = Workload(int(knobs["groups"]), int(knobs["requests"]), 64, int(knobs["shared"]), int(knobs["own"]))
    low, high = workload.prompt, workload.tree
    sizes = sorted({round(low * (high / low) ** (k / 8)) for k in range(9)})
    come = [100 * hit_rate(workload, workload.as_they_come(), size) for size in sizes]
    deep = [100 * hit_rate(workload, workload.depth_first(), size) for size in sizes]
    lines = (
        Line("as they come", tuple(zip(sizes, come, strict=True))),
        Line("depth first", tuple(zip(sizes, deep, strict=True))),
    )
    return Figure(
        "Tokens that need not be computed",
        "cache, tokens",
        "%",
        lines,
        f"With room for one prompt, depth first finds {deep[0]:.0f} % of the tokens, which is the best there is; in the order of arrival "
        f"{come[0]:.0f} % are found.",
        log_x=True,
    )


STUDY = Study(
    slug="sglang",
    title="SGLang: Efficient Execution of Structured Language Model Programs",
    venue="NeurIPS 2024",
    arxiv="2312.07104",
    idea="Programs call a model many times with prompts that begin alike. Kept in a radix tree, the keys and values of what they share are "
    "computed once. The paper measured hit rates of 50 to 99 %, up to 6.4 times the throughput and 3.7 times less latency; serving the "
    "longest held prefix first reached 96 % of the best hit rate on average. Depth-first order is the best there is, if the cache holds "
    "the longest prompt.",
    formulas=("best hit rate = 1 - tree / Σ prompts", "cache ≥ longest prompt ⇒ depth first = best"),
    tables=(COMPUTED,),
    knobs=(
        Knob("groups", "Groups", 8, 2, 16),
        Knob("requests", "Requests of a group", 8, 2, 16),
        Knob("shared", "Tokens that a group shares", 512, 16, 4096),
        Knob("own", "Tokens of a request's own", 64, 8, 1024),
    ),
    figure=_figure,
)
