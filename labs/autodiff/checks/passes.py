"""Task 4: random static graphs as plain data, their meaning, and the least that each pass can leave.

A graph is {"nodes": [[op, inputs, setting], …], "outputs": [number, …]}, as the driver has it. All full values have SHAPE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

PlainGraph = dict[str, Any]
ROWS, COLUMNS, INPUTS = 3, 4, 3
SHAPE = (ROWS, COLUMNS)
BINARY, UNARY = ("add", "sub", "mul", "div"), ("neg", "exp", "sin", "tanh")
ELEMENTWISE = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "exp": np.exp,
    "sin": np.sin,
    "tanh": np.tanh,
}
EFFECTS = ("random", "add_")


class Builder:
    """Appends nodes and returns their numbers."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.nodes = rng, [["input", [], i] for i in range(INPUTS)]
        self.full = list(range(INPUTS))

    def add(self, op: str, *inputs: int, setting: Any = None, full: bool = True) -> int:
        """One node; `full` ones may be read by others."""
        self.nodes.append([op, list(inputs), setting])
        if full:
            self.full.append(len(self.nodes) - 1)
        return len(self.nodes) - 1

    def constant(self) -> int:
        """A random constant, or at times one that is there already, once more."""
        earlier = [node[2] for node in self.nodes if node[0] == "constant" and np.shape(node[2]) == SHAPE]
        again = earlier and self.rng.random() < 0.4
        value = earlier[int(self.rng.integers(len(earlier)))].copy() if again else self.rng.normal(size=SHAPE)
        return self.add("constant", setting=np.asarray(value))

    def some(self) -> int:
        """A full value, recent ones more often."""
        back = min(len(self.full), 8)
        return self.full[-1 - int(self.rng.integers(back))]

    def elementwise(self) -> None:
        """One or two elementwise nodes; values stay moderate."""
        op = str(self.rng.choice(["add", "sub", "mul", "div", "neg", "sin", "tanh", "exp"]))
        a, b = self.some(), self.some()
        if op == "exp":
            self.add("exp", self.add("sin", a))
        elif op == "div":
            self.add("div", a, self.add("exp", self.add("tanh", b)))
        elif op == "mul":
            self.add("tanh", self.add("mul", a, b))
        elif op in BINARY:
            self.add(op, a, b)
        else:
            self.add(op, a)

    def reduction(self) -> None:
        """A sum, stretched again, or a product with a constant matrix."""
        if self.rng.random() < 0.5:
            narrow = self.add("sum", self.some(), setting=int(self.rng.integers(2)), full=False)
            self.add("broadcast_to", narrow, setting=list(SHAPE))
        else:
            matrix = self.add("constant", setting=self.rng.normal(size=(COLUMNS, COLUMNS)) / 4, full=False)
            self.add("matmul", self.some(), matrix)

    def again(self) -> None:
        """A node that repeats an earlier one, often with its inputs the other way round, which is the same for sums and products only."""
        repeatable = [node for node in self.nodes if node[0] in ELEMENTWISE]
        if repeatable:
            op, inputs, _ = repeatable[int(self.rng.integers(len(repeatable)))]
            self.add(op, *(reversed(inputs) if self.rng.random() < 0.5 else inputs))

    def graph(self, outputs: int = 2) -> PlainGraph:
        """The graph, with outputs among its last values."""
        last = self.full[-6:]
        chosen = self.rng.choice(len(last), size=min(outputs, len(last)), replace=False)
        return {"nodes": self.nodes, "outputs": [last[int(i)] for i in chosen]}


def random_graph(rng: np.random.Generator, length: int = 18, effects: tuple[str, ...] = ()) -> PlainGraph:
    """A graph of about `length` draws, with dead code, repetitions and constants in it, and the effects that are named."""
    builder = Builder(rng)
    builder.constant()
    for _ in range(length):
        kind = rng.random()
        if kind < 0.12:
            builder.constant()
        elif kind < 0.24:
            builder.reduction()
        elif kind < 0.4:
            builder.again()
        elif kind < 0.55 and effects:
            op = str(rng.choice(list(effects)))
            if op == "random":
                builder.add("random", setting=list(SHAPE))
            else:
                builder.add("add_", builder.some(), builder.some())
        else:
            builder.elementwise()
    return builder.graph()


def residual_network(rng: np.random.Generator, layers: int) -> PlainGraph:
    """The network of 4e: inputs h and t, then a matrix and a row for each layer."""
    nodes: list[list[Any]] = [["input", [], i] for i in range(2 + 2 * layers)]

    def add(op: str, *inputs: int, setting: Any = None) -> int:
        nodes.append([op, list(inputs), setting])
        return len(nodes) - 1

    h, c, d = 0, rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    for layer in range(layers):
        product = add("matmul", h, 2 + 2 * layer)
        row = add("broadcast_to", 3 + 2 * layer, setting=list(SHAPE))
        scale = add("mul", add("exp", add("constant", setting=c.copy())), add("constant", setting=d.copy()))
        scaled = add("mul", add("tanh", add("add", product, row)), scale)
        h = add("add", h, add("mul", scaled, add("random", setting=list(SHAPE))))
    loss = add("sum", add("mul", add("sub", h, 1), add("sub", h, 1)), setting=0)
    return {"nodes": nodes, "outputs": [loss]}


def network_inputs(rng: np.random.Generator, layers: int) -> list[np.ndarray]:
    """Arrays for `residual_network`."""
    shapes = [SHAPE, SHAPE] + [(COLUMNS, COLUMNS), (1, COLUMNS)] * layers
    return [np.asarray(rng.normal(size=shape)) for shape in shapes]


def run(graph: PlainGraph, arrays: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Outputs, then the callers' arrays as they are afterwards, then the generator's next number."""
    given, rng = [array.copy() for array in arrays], np.random.default_rng(seed)
    values: list[np.ndarray] = []
    with np.errstate(all="ignore"):
        for op, inputs, setting in graph["nodes"]:
            values.append(_value(op, [values[i] for i in inputs], setting, given, rng))
    return [*(values[i] for i in graph["outputs"]), *given, np.asarray(rng.random())]


def _value(op: str, read: list[np.ndarray], setting: Any, given: list[np.ndarray], rng: np.random.Generator) -> Any:
    if op in ELEMENTWISE:
        return ELEMENTWISE[op](*read)
    if op == "fused":
        steps = list(read)
        for step, operands in setting:
            steps.append(ELEMENTWISE[step](*(steps[i] for i in operands)))
        return steps[-1]
    others: dict[str, Callable[[], Any]] = {
        "input": lambda: given[setting],
        "constant": lambda: np.array(setting),
        "random": lambda: rng.random(tuple(setting)),
        "add_": lambda: np.add(read[0], read[1], out=read[0]),
        "sum": lambda: read[0].sum(axis=setting, keepdims=True),
        "broadcast_to": lambda: np.broadcast_to(read[0], tuple(setting)).copy(),
        "matmul": lambda: read[0] @ read[1],
    }
    return others[op]()


def check_form(expect: Any, got: Any, was: PlainGraph) -> None:
    """The answer is a graph at all: known operations that read earlier nodes, not more of them than before, effects as they were."""
    formed = isinstance(got, dict) and isinstance(got.get("nodes"), list) and isinstance(got.get("outputs"), list)
    expect.that(formed, "the pass returned no graph")
    before = was["nodes"]
    known = {node[0] for node in before} | {"fused", "constant"}
    expect.that(len(got["nodes"]) <= len(before), "the graph has more nodes than before")
    for number, (op, inputs, _) in enumerate(got["nodes"]):
        expect.that(op in known, f"node {number} has the operation {op}, which the graph did not have")
        expect.that(
            all(0 <= i < number for i in inputs), f"node {number}, {op}, reads a node that does not stand before it"
        )
    expect.that(len(got["outputs"]) == len(was["outputs"]), "the number of outputs changed")
    inside = all(0 <= i < len(got["nodes"]) for i in got["outputs"])
    expect.that(inside, "an output names a node that is not there")
    for kinds, what in ((("input",), "inputs"), (EFFECTS, "nodes with an effect")):
        told = [_shown(node) for node in got["nodes"] if node[0] in kinds]
        want = [_shown(node) for node in before if node[0] in kinds]
        expect.that(
            told == want,
            f"the {what} are not those of the graph before, in their order: {len(want)} before, {len(told)} now",
        )
    stretched = {_shown(node) for node in before if node[0] == "broadcast_to"}
    expect.that(
        all(_shown(node) in stretched for node in got["nodes"] if node[0] == "broadcast_to"),
        "a broadcast_to has a shape that it did not have before",
    )
    for number, node in enumerate(got["nodes"]):
        if node[0] == "fused":
            _check_body(expect, number, node)


def _shown(node: list[Any]) -> str:
    return f"{node[0]} {node[2]}"


def _check_body(expect: Any, number: int, node: list[Any]) -> None:
    steps = node[2] if isinstance(node[2], list) else []
    expect.that(len(steps) > 1, f"node {number} is a kernel of {len(steps)} steps; a kernel of one stays what it is")
    for place, (op, operands) in enumerate(steps, len(node[1])):
        expect.that(op in ELEMENTWISE, f"node {number} fuses {op}, which is not elementwise")
        expect.that(all(0 <= i < place for i in operands), f"a step of node {number} reads what is computed after it")


Sample = tuple[list[np.ndarray], int, list[np.ndarray]]


def sampled(rng: np.random.Generator, graph: PlainGraph) -> Sample:
    """Random arrays, a seed, and what the graph makes of them."""
    arrays, seed = [np.asarray(rng.normal(size=SHAPE)) for _ in range(INPUTS)], int(rng.integers(1 << 31))
    return arrays, seed, run(graph, arrays, seed)


def check_same(expect: Any, sample: Sample, was: PlainGraph, got: Any, what: str) -> None:
    """Both graphs give the same, leave the caller's arrays the same, and draw as often."""
    check_form(expect, got, was)
    arrays, seed, before = sample
    after = run(got, arrays, seed)
    names = [f"output {i}" for i in range(len(was["outputs"]))] + [f"input {i} after the run" for i in range(INPUTS)]
    for one, want, name in zip(after, before, [*names, "the generator's next number"], strict=True):
        if not np.array_equal(one, want):  # most are, and this is quicker than a comparison that explains
            expect.close(one, want, what=f"{name}, {what}", rtol=1e-12, atol=1e-12)


def kernels(graph: PlainGraph) -> int:
    """Nodes that run something."""
    return sum(node[0] not in {"input", "constant"} for node in graph["nodes"])


def needed(graph: PlainGraph) -> set[int]:
    """Nodes that are needed, by walking down from outputs and effects; inputs stay."""
    nodes = graph["nodes"]
    found = {i for i, node in enumerate(nodes) if node[0] == "input"}
    waiting = [*graph["outputs"], *(i for i, node in enumerate(nodes) if node[0] in EFFECTS)]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting.extend(nodes[number][1])
    return found


def without_dead_code(graph: PlainGraph) -> PlainGraph:
    """The graph of needed nodes alone."""
    kept = sorted(needed(graph))
    place = {number: i for i, number in enumerate(kept)}
    nodes = [[op, [place[i] for i in inputs], setting] for op, inputs, setting in (graph["nodes"][n] for n in kept)]
    return {"nodes": nodes, "outputs": [place[i] for i in graph["outputs"]]}


def distinct_values(graph: PlainGraph) -> int:
    """Different expressions in a graph without `add_`: two are one when they are written alike, up to the order of sums and products."""
    names: list[str] = []
    short: dict[str, str] = {}
    for number, (op, inputs, setting) in enumerate(graph["nodes"]):
        read = [names[i] for i in inputs]
        told = f"{setting.shape}{setting.tobytes().hex()}" if isinstance(setting, np.ndarray) else str(setting)
        text = f"{op}({','.join(sorted(read) if op in {'add', 'mul'} else read)};{number if op == 'random' else told})"
        names.append(short.setdefault(text, f"v{len(short)}"))
    return len(short)


def unknown_values(graph: PlainGraph) -> int:
    """Nodes of a graph without `add_` whose value depends on an input or on the generator."""
    depends: list[bool] = []
    for op, inputs, _ in graph["nodes"]:
        depends.append(op in {"input", "random"} or any(depends[i] for i in inputs))
    return sum(depends)


def least_kernels(graph: PlainGraph) -> int:
    """Kernels after the best fusion of a graph without `add_`.

    A node must end a kernel when it is an output, when something that is not elementwise reads it, or when two ends are reached from it;
    ends that this adds are found by repeating until none is.
    """
    nodes = graph["nodes"]
    users: list[list[int]] = [[] for _ in nodes]
    for number, (_, inputs, _) in enumerate(nodes):
        for source in inputs:
            users[source].append(number)
    joinable = [number for number, node in enumerate(nodes) if node[0] in ELEMENTWISE]
    ends = {n for n in joinable if n in graph["outputs"] or not users[n] or any(u not in joinable for u in users[n])}
    while True:
        more = {n for n in joinable if n not in ends and len(_reached(n, users, ends)) > 1}
        if not more:
            return kernels(graph) - len(joinable) + len(ends)
        ends.add(max(more))


def _reached(number: int, users: list[list[int]], ends: set[int]) -> set[int]:
    found, waiting, seen = set(), list(users[number]), set()
    while waiting:
        user = waiting.pop()
        if user in ends:
            found.add(user)
        elif user not in seen:
            seen.add(user)
            waiting.extend(users[user])
    return found
