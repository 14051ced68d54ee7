"""Tasks 1 to 3: calls rules, sweeps and derivatives. A part of driver.py; it computes no expected values.

Every function takes `program`, the namespace that the notebook filled, and plain data: arrays, numbers, text, lists, dicts.

A graph for tasks 2 and 3 is a list of steps over numbered values: the leaves come first (0, 1, …), and step k makes the next number.
A step is `[op, input, …]`, and for `linear` `[op, input, matrix]`. These graphs use the given operations only, and their rules are
put in afresh from this file, so that a rule of Task 1 decides nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray
Arrays = list[Array]
Steps = list[list[Any]]
Settings = dict[str, Any]
Answer = dict[str, Any]


def rule(program: ModuleType, *, op: str, inputs: Arrays, cotangent: Array, parameters: Settings) -> Answer:
    """One call of one rule: its gradients, and what it left of the arrays that it was given."""
    tensors, pulled = _tensors(program, inputs), program.Tensor(cotangent.copy())
    output = _apply(program, op, tensors, parameters)
    value = output.data.copy()
    gradients = _pull(program, op, pulled, output, tensors, **parameters)
    return {
        "gradients": [_array(gradient) for gradient in gradients],
        "inputs": [_array(tensor) for tensor in tensors],
        "cotangent": _array(pulled),
        "output_kept": bool(np.array_equal(value, output.data)),
    }


def repeated_operand(program: ModuleType, *, op: str, x: Array, cotangent: Array) -> Array:
    """The same tensor as both inputs of a binary operation: the sum of the rule's two gradients."""
    (tensor,) = _tensors(program, [x])
    output = _apply(program, op, [tensor, tensor], {})
    first, second = _pull(program, op, program.Tensor(cotangent), output, [tensor, tensor])
    return np.asarray(_array(first) + _array(second))


def broadcast_operands(program: ModuleType, *, op: str, a: Array, b: Array, cotangent: Array) -> Answer:
    """`op` on stretched operands: its rule first, then the rule of `broadcast_to` for each side that was stretched."""
    tensors, shape = _tensors(program, [a, b]), np.broadcast_shapes(a.shape, b.shape)
    stretched = [program.apply("broadcast_to", tensor, shape=shape) for tensor in tensors]
    output = _apply(program, op, stretched, {})
    inner = _pull(program, op, program.Tensor(cotangent), output, stretched)
    pairs = zip(inner, stretched, tensors, strict=True)
    outer = [_pull(program, "broadcast_to", part, wide, [narrow], shape=list(shape))[0] for part, wide, narrow in pairs]
    return {"gradients": [_array(gradient) for gradient in outer]}


def replayed_rule(
    program: ModuleType,
    *,
    op: str,
    inputs: Arrays,
    cotangent: Array,
    parameters: Settings,
    new_inputs: Arrays,
    new_cotangent: Array,
) -> Answer:
    """Record a rule at one point, then recompute its graph at another: values that left the graph keep the old point."""
    tensors, pulled = _tensors(program, inputs), program.Tensor(cotangent, requires_grad=True)
    output = _apply(program, op, tensors, parameters)
    gradients = _pull(program, op, pulled, output, tensors, **parameters)
    new = dict(zip([id(tensor) for tensor in [*tensors, pulled]], [*new_inputs, new_cotangent], strict=True))
    return {"gradients": [_recomputed(program, gradient, new) for gradient in gradients]}


def _tensors(program: ModuleType, arrays: Sequence[Array]) -> list[Any]:
    """Leaves that require gradients, with arrays of their own."""
    return [program.Tensor(array.copy(), requires_grad=True) for array in arrays]


def _apply(program: ModuleType, op: str, tensors: Sequence[Any], parameters: Settings) -> Any:
    return program.apply(op, *tensors, **_parameters(parameters))


def _pull(
    program: ModuleType, op: str, cotangent: Any, output: Any, tensors: Sequence[Any], **parameters: Any
) -> tuple[Any, ...]:
    gradients = program.OPS[op].vjp(cotangent, output, *tensors, **_parameters(parameters))
    formed = isinstance(gradients, tuple | list) and len(gradients) == len(tensors)
    if not formed or not all(isinstance(gradient, program.Tensor) for gradient in gradients):
        raise TypeError(f"the rule of {op} should return a tuple of Tensors, one for each of its {len(tensors)} inputs")
    return tuple(gradients)


def _parameters(parameters: Settings) -> Settings:
    """Parameters as the notebook's operations take them: tuples and numpy indices instead of plain lists."""
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}
    return plain | {"index": _index(parameters["index"])} if "index" in parameters else plain


def _index(parts: Sequence[Any]) -> tuple[Any, ...]:
    """A numpy index from plain data: a dict stands for a slice, `None` for a new axis."""
    return tuple(slice(part["start"], part["stop"], part["step"]) if isinstance(part, dict) else part for part in parts)


def _recomputed(program: ModuleType, root: Any, new: dict[int, Array]) -> Array:
    values: dict[int, Array] = dict(new)
    for node in program.tape_order(root):
        if node.op is not None:
            arrays = [values.get(id(source), source.data) for source in node.inputs]
            values[id(node)] = np.asarray(program.OPS[node.op].forward(*arrays, **node.parameters))
    return values.get(id(root), _array(root))


def _array(tensor: Any) -> Array:
    """The tensor's value as a plain array of its own."""
    return np.array(tensor.data if hasattr(tensor, "data") else tensor)


def _install_given(program: ModuleType) -> None:
    """The given operations, from this file."""
    apply, operation = program.apply, program.Op

    def cosine(x: Any) -> Any:
        return apply("sin", apply("add", x, program.Tensor(np.full(x.data.shape, np.pi / 2))))

    rules: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "add": (lambda a, b: a + b, lambda g, _y, _a, _b: (g, g)),
        "mul": (lambda a, b: a * b, lambda g, _y, a, b: (apply("mul", g, b), apply("mul", g, a))),
        "neg": (lambda x: -x, lambda g, _y, _x: (apply("neg", g),)),
        "exp": (np.exp, lambda g, y, _x: (apply("mul", g, y),)),
        "sin": (np.sin, lambda g, _y, x: (apply("mul", g, cosine(x)),)),
        "identity": (lambda x: x, lambda g, _y, _x: (g,)),
        "linear": (lambda x, matrix: matrix @ x, lambda g, _y, _x, matrix: (apply("linear", g, matrix=matrix.T),)),
    }
    for name, (forward, vjp) in rules.items():
        program.OPS[name] = operation(forward, vjp)


def _run(program: ModuleType, steps: Steps, leaves: Sequence[Any]) -> list[Any]:
    """Every value of a graph as a Tensor, made in the order of the steps."""
    nodes = list(leaves)
    for op, *rest in steps:
        sources, settings = (rest[:1], {"matrix": rest[1]}) if op == "linear" else (rest, {})
        nodes.append(program.apply(op, *(nodes[i] for i in sources), **settings))
    return nodes


def _graph(
    program: ModuleType, steps: Steps, leaves: Arrays, trainable: list[bool], creation: list[int] | None
) -> list[Any]:
    """A graph's nodes by number. With `creation`, nodes are made in that order and wired up afterwards."""
    _install_given(program)
    tensors = [program.Tensor(leaf.copy(), requires_grad=flag) for leaf, flag in zip(leaves, trainable, strict=True)]
    nodes = _run(program, steps, tensors)
    if creation is None:
        return nodes
    made = {i: program.Tensor(nodes[i].data, requires_grad=nodes[i].requires_grad) for i in creation}
    numbers = {id(node): number for number, node in enumerate(nodes)}
    for number, copy in made.items():
        copy.op, copy.parameters = nodes[number].op, nodes[number].parameters
        copy.inputs = tuple(made[numbers[id(source)]] for source in nodes[number].inputs)
    return [made[number] for number in range(len(nodes))]


def listed_order(
    program: ModuleType, *, steps: Steps, leaves: Arrays, trainable: list[bool], creation: list[int] | None = None
) -> list[int]:
    """`topological_order` of the last value, as numbers; -1 for something that is no node of the graph."""
    nodes = _graph(program, steps, leaves, trainable, creation)
    numbers = {id(node): number for number, node in enumerate(nodes)}
    return [numbers.get(id(node), -1) for node in program.topological_order(nodes[-1])]


def swept(
    program: ModuleType,
    *,
    steps: Steps,
    leaves: Arrays,
    trainable: list[bool],
    sweeps: list[Settings],
    creation: list[int] | None = None,
) -> Answer:
    """Run `backward` from the value `root` of each sweep in turn, with its cotangent or none.

    Returns each leaf's `.grad` after every sweep, and after the last one what became of the caller's arrays.
    """
    nodes = _graph(program, steps, leaves, trainable, creation)
    before = [_array(node) for node in nodes]
    collected, cotangents = [], []
    for sweep in sweeps:
        given = None if sweep["cotangent"] is None else program.Tensor(sweep["cotangent"].copy())
        cotangents.append(given)
        program.backward(nodes[sweep["root"]], given)
        collected.append([_gradient(leaf) for leaf in nodes[: len(leaves)]])
    return {
        "gradients": collected,
        "cotangents": [None if given is None else _array(given) for given in cotangents],
        "values_kept": all(np.array_equal(old, node.data) for old, node in zip(before, nodes, strict=True)),
        "inner_gradients": sum(node.grad is not None for node in nodes[len(leaves) :]),
    }


def swept_constant(program: ModuleType, *, leaf: Array) -> Answer:
    """`backward` of a value that was made inside `no_grad`, and of one that reads it beside a live leaf."""
    _install_given(program)
    x = program.Tensor(leaf.copy(), requires_grad=True)
    with program.no_grad():
        frozen = program.apply("sin", x)
    program.backward(frozen)
    alone = _gradient(x)
    program.backward(program.apply("mul", frozen, x))
    return {"alone": alone, "beside": _gradient(x)}


def counted_sweep(program: ModuleType, *, steps: Steps, leaves: Arrays, trainable: list[bool]) -> Answer:
    """One `backward` of the last value while calls of rules are counted."""
    nodes = _graph(program, steps, leaves, trainable, None)
    calls: Counter[int] = Counter()
    recorded = _count_rules(program, calls)
    program.backward(nodes[-1])
    return {
        "gradients": [_gradient(leaf) for leaf in nodes[: len(leaves)]],
        "visits": [calls[id(node)] for node in nodes],
        "recorded": sum(recorded),
    }


def _count_rules(program: ModuleType, calls: Counter[int]) -> list[int]:
    """Wrap every rule so that it counts its calls by output node; the list notes results that were recorded."""
    recorded: list[int] = []

    def counting(vjp: Callable[..., Any]) -> Callable[..., Any]:
        def counted(cotangent: Any, output: Any, *inputs: Any, **parameters: Any) -> Any:
            calls[id(output)] += 1
            parts = vjp(cotangent, output, *inputs, **parameters)
            recorded.append(sum(part.requires_grad for part in parts))
            return parts

        return counted

    for name in ("add", "mul", "neg", "exp", "sin", "identity", "linear"):
        program.OPS[name].vjp = counting(program.OPS[name].vjp)
    return recorded


def _gradient(node: Any) -> Array | None:
    return None if node.grad is None else np.array(node.grad)


_prepared: Settings = {}


def prepare_sweeps(program: ModuleType, *, steps: Steps, leaves: list[Arrays]) -> int:
    """Build one graph for each set of leaves, ready for `timed_sweep`; returns the nodes of one graph."""
    _install_given(program)
    built = [_run(program, steps, _tensors(program, one)) for one in leaves]
    _prepared["graphs"] = [(nodes[: len(one)], nodes[-1]) for nodes, one in zip(built, leaves, strict=True)]
    return len(built[0])


def timed_sweep(program: ModuleType, *, graph: int) -> list[Array | None]:
    """One `backward` over a prepared graph, from no gradients; returns the leaves' gradients."""
    leaves, root = _prepared["graphs"][graph]
    for leaf in leaves:
        leaf.grad = None
    program.backward(root)
    return [_gradient(leaf) for leaf in leaves]


def _install_tape(program: ModuleType) -> None:
    """The given operations, and the tape in the place of the student's topological order."""
    _install_given(program)
    program.topological_order = program.tape_order


def _function(program: ModuleType, steps: Steps) -> Callable[..., Any]:
    return lambda *inputs: _run(program, steps, inputs)[-1]


def gradients(
    program: ModuleType,
    *,
    steps: Steps,
    leaves: Arrays,
    wanted: list[int],
    cotangent: Array | None = None,
    create_graph: bool = True,
) -> Answer:
    """`grad` of the last value for the values `wanted`, and whether it left `.grad` alone and recorded its work."""
    _install_tape(program)
    nodes = _run(program, steps, _tensors(program, leaves))
    given = None if cotangent is None else program.Tensor(cotangent.copy())
    found = program.grad(nodes[-1], [nodes[i] for i in wanted], given, create_graph)
    return {
        "gradients": [_array(one) for one in found],
        "recorded": [bool(one.requires_grad) for one in found],
        "grad_untouched": all(node.grad is None for node in nodes),
    }


def repeated_gradients(
    program: ModuleType, *, steps: Steps, leaves: Arrays, path: list[int], cotangents: list[Array | None]
) -> Array:
    """Differentiate with respect to leaf path[0], the result with respect to path[1], and so on, each with its cotangent."""
    _install_tape(program)
    *nodes, value = _run(program, steps, _tensors(program, leaves))
    for leaf, cotangent in zip(path, cotangents, strict=True):
        (value,) = program.grad(value, [nodes[leaf]], None if cotangent is None else program.Tensor(cotangent))
    return _array(value)


def pulled_back(
    program: ModuleType, *, steps: Steps, primals: Arrays, cotangents: Arrays, same: bool = False
) -> Answer:
    """`vjp` of the last value, its pullback called once for each cotangent. With `same`, one tensor is every primal."""
    _install_tape(program)
    tensors = _tensors(program, primals)
    output, pullback = program.vjp(_function(program, steps), *([tensors[0]] * len(tensors) if same else tensors))
    pulled = [pullback(program.Tensor(cotangent)) for cotangent in cotangents]
    return {"output": _array(output), "pulled": [[_array(one) for one in parts] for parts in pulled]}


def pullback_of_node(program: ModuleType, *, steps: Steps, x: Array, cotangent: Array, direction: Array) -> Array:
    """The gradient of <direction, pullback(cotangent)> with respect to x, for the pullback of the last value at 2x."""
    _install_tape(program)
    leaf = program.Tensor(x.copy(), requires_grad=True)
    _, pullback = program.vjp(_function(program, steps), program.apply("add", leaf, leaf))
    (found,) = program.grad(pullback(program.Tensor(cotangent))[0], [leaf], program.Tensor(direction))
    return _array(found)


def pushed_forward(program: ModuleType, *, steps: Steps, primals: Arrays, tangents: Arrays) -> Answer:
    """`jvp` of the last value."""
    _install_tape(program)
    tensors = _tensors(program, primals)
    output, tangent = program.jvp(_function(program, steps), tensors, [program.Tensor(t) for t in tangents])
    return {"output": _array(output), "tangent": _array(tangent)}


def hessian_product(program: ModuleType, *, steps: Steps, x: Array, v: Array) -> Array:
    """`hvp` of the last value."""
    _install_tape(program)
    return _array(
        program.hvp(_function(program, steps), program.Tensor(x.copy(), requires_grad=True), program.Tensor(v))
    )


def hessian_product_forward_over_reverse(program: ModuleType, *, steps: Steps, x: Array, v: Array) -> Array:
    """`jvp` of the gradient."""
    _install_tape(program)
    f = _function(program, steps)
    point = program.Tensor(x.copy(), requires_grad=True)
    _, product = program.jvp(lambda t: program.grad(f(t), [t])[0], (point,), (program.Tensor(v),))
    return _array(product)


def hessian_product_of_node(program: ModuleType, *, steps: Steps, x: Array, v: Array, u: Array) -> Array:
    """The gradient of <u, hvp(f, 2x, v)> with respect to x: the point is a node, and the product a graph."""
    _install_tape(program)
    leaf = program.Tensor(x.copy(), requires_grad=True)
    product = program.hvp(_function(program, steps), program.apply("add", leaf, leaf), program.Tensor(v))
    (found,) = program.grad(product, [leaf], program.Tensor(u))
    return _array(found)


def hessian_product_cost(program: ModuleType, *, steps: Steps, x: Array, v: Array) -> Answer:
    """Floating-point operations of one evaluation of f and of one `hvp`, counted in the forward functions."""
    _install_tape(program)
    count, f = _count_operations(program), _function(program, steps)
    f(program.Tensor(x.copy(), requires_grad=True))
    once = count["operations"]
    product = program.hvp(f, program.Tensor(x.copy(), requires_grad=True), program.Tensor(v))
    return {"function": once, "product": count["operations"] - once, "value": _array(product)}


def _count_operations(program: ModuleType) -> Counter[str]:
    """Wrap every forward function: an element costs 1, a matrix product 2 for each entry of the matrix."""
    count: Counter[str] = Counter()

    def counting(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arrays: Array, **parameters: Any) -> Any:
            result = forward(*arrays, **parameters)
            count["operations"] += _operations(name, arrays, result, parameters)
            return result

        return counted

    for name, operation in program.OPS.items():
        operation.forward = counting(name, operation.forward)
    return count


def _operations(name: str, arrays: Sequence[Array], result: Any, parameters: Settings) -> int:
    if name == "linear":
        return 2 * int(np.size(parameters["matrix"]))
    if name == "matmul":
        return 2 * int(np.size(result)) * arrays[0].shape[-1]
    return int(np.size(result))
