"""The oracles of Lab 1's tasks 4 to 7 against brute force, torch.amp.GradScaler and torch.autograd: who checks students is checked here."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

CHECKS = Path(__file__).resolve().parents[2] / "labs" / "autodiff" / "checks"
NAMES = ("passes", "memory", "precision", "model")


@pytest.fixture(scope="module")
def checks() -> Iterator[SimpleNamespace]:
    """The modules beside the checks, by name, and forgotten again."""
    before = list(sys.path)
    sys.path.insert(0, str(CHECKS))
    loaded: dict[str, ModuleType] = {name: importlib.import_module(name) for name in NAMES}
    yield SimpleNamespace(**loaded, library=importlib.import_module("hidden.library"))
    sys.path[:] = before
    for name in (*NAMES, "hidden.library", "hidden"):
        sys.modules.pop(name, None)


@pytest.fixture(params=[0, 1, 2])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Three seeds."""
    return np.random.default_rng(request.param)


# ---- Task 4: counts of what passes leave


def small_graph(checks: Any, rng: np.random.Generator) -> dict[str, Any]:
    """A graph without dead code and with few elementwise nodes, so that every fusion can be tried."""
    while True:
        graph = checks.passes.without_dead_code(checks.passes.random_graph(rng, length=9, effects=("random",)))
        if 3 <= sum(node[0] in checks.passes.ELEMENTWISE for node in graph["nodes"]) <= 9:
            return graph


def test_the_least_number_of_kernels_is_that_of_every_fusion_tried(checks, rng):
    for _ in range(20):
        graph = small_graph(checks, rng)
        nodes, outputs = graph["nodes"], graph["outputs"]
        joinable = [i for i, node in enumerate(nodes) if node[0] in checks.passes.ELEMENTWISE]
        users = {i: [k for k, node in enumerate(nodes) if i in node[1]] for i in range(len(nodes))}
        best = None
        for size in range(len(joinable) + 1):
            # which nodes end a kernel decides everything: every other one must be in the kernel of all of its users
            if any(is_fusion(set(ends), joinable, users, outputs) for ends in itertools.combinations(joinable, size)):
                best = size
                break
        assert best is not None
        assert checks.passes.least_kernels(graph) == checks.passes.kernels(graph) - len(joinable) + best


def is_fusion(ends: set[int], joinable: list[int], users: dict[int, list[int]], outputs: list[int]) -> bool:
    kernel: dict[int, int] = {}
    for number in reversed(joinable):
        found = {kernel.get(user, -1) for user in users[number]}
        if number in ends:
            kernel[number] = number
        elif number in outputs or len(found) != 1 or -1 in found:
            return False
        else:
            kernel[number] = found.pop()
    return True


def test_distinct_values_are_the_different_expressions_written_out(checks, rng):
    for _ in range(20):
        graph = checks.passes.random_graph(rng, length=10, effects=("random",))
        texts: list[Any] = []
        for number, (op, inputs, setting) in enumerate(graph["nodes"]):
            read = [texts[i] for i in inputs]
            same = (setting.shape, setting.tobytes()) if isinstance(setting, np.ndarray) else str(setting)
            texts.append(
                (
                    op,
                    tuple(sorted(read, key=repr)) if op in {"add", "mul"} else tuple(read),
                    number if op == "random" else same,
                )
            )
        assert checks.passes.distinct_values(graph) == len({repr(text) for text in texts})


def test_what_needs_no_input_and_no_draw_is_known_beforehand(checks, rng):
    for _ in range(20):
        graph = checks.passes.random_graph(rng, length=12, effects=("random",))
        nodes, reached = graph["nodes"], closure(graph)
        sources = [i for i, node in enumerate(nodes) if node[0] in {"input", "random"}]
        unknown = reached[:, sources].any(axis=1)
        assert checks.passes.unknown_values(graph) == unknown.sum()
        every = graph | {"outputs": list(range(len(nodes)))}
        arrays = [[rng.normal(size=checks.passes.SHAPE) for _ in range(checks.passes.INPUTS)] for _ in range(2)]
        one, other = (checks.passes.run(every, given, seed) for seed, given in enumerate(arrays))
        changed = [not np.array_equal(a, b) for a, b in zip(one[: len(nodes)], other, strict=False)]
        assert not (changed & ~unknown).any(), "what is known beforehand does not change with the inputs"


def closure(graph: dict[str, Any]) -> np.ndarray:
    """[a, b]: whether node a needs node b."""
    reached = np.eye(len(graph["nodes"]), dtype=bool)
    for number, node in enumerate(graph["nodes"]):
        for source in node[1]:
            reached[number] |= reached[source]
    return reached


def test_needed_nodes_are_those_without_which_an_output_cannot_be_computed(checks, rng):
    for _ in range(20):
        graph = checks.passes.random_graph(rng, length=12)
        needed = {int(i) for i in np.flatnonzero(closure(graph)[graph["outputs"]].any(axis=0))}
        assert checks.passes.needed(graph) == needed | set(range(checks.passes.INPUTS))


# ---- Task 5: the best plans


def every_plan(layers: int) -> Iterator[list[tuple[int, int]]]:
    """All choices of segments: cut the chain in every way, and checkpoint every subset of the pieces."""
    for cuts in itertools.product([False, True], repeat=layers - 1):
        at = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), layers]
        pieces = list(itertools.pairwise(at))
        for chosen in itertools.product([False, True], repeat=len(pieces)):
            yield [piece for piece, is_chosen in zip(pieces, chosen, strict=True) if is_chosen]


def test_the_best_plans_are_the_best_of_all(checks, rng):
    memory, layers = checks.memory, int(rng.integers(4, 7))
    saved, inputs, flops = memory.random_layers(rng, layers)
    found = [memory.replay_plan(saved, inputs, flops, plan) for plan in every_plan(layers)]
    smallest = min(peak for peak, _ in found)
    assert memory.smallest_peak(saved, inputs) == smallest
    assert memory.best_within(saved, inputs, flops, smallest - 1) is None
    for budget in {smallest, *(peak for peak, _ in found)}:
        assert memory.best_within(saved, inputs, flops, budget) == min(work for peak, work in found if peak <= budget)


def test_the_least_buffers_are_those_of_every_assignment_tried(checks, rng):
    memory, tried = checks.memory, 0
    expect = SimpleNamespace(that=require)
    while tried < 5:
        sizes, reads, outputs = memory.random_program(rng, steps=5, kinds=[8, 24])
        tried += 1
        fits = []
        for plan in itertools.product(range(5), repeat=5):
            try:
                fits.append(memory.replay_buffers(expect, list(plan), sizes, reads, outputs))
            except ValueError:
                continue
        assert memory.least_buffers(sizes, reads, outputs) == min(fits)


def require(condition: object, message: str) -> None:
    """As the fixture `expect.that`."""
    if not condition:
        raise ValueError(message)


def test_the_plain_chain_agrees_with_torch(checks, rng, held):
    weights = [rng.normal(size=(int(rng.integers(1, 4)), 4)) for _ in range(4)]
    dropout, seed = [0.0, 0.5, 0.3, 0.0], 5
    x, cotangent = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    leaves = [torch.tensor(w, requires_grad=True) for w in weights]
    first = y = torch.tensor(x, requires_grad=True)
    draws = np.random.default_rng(seed)
    for w, p in zip(leaves, dropout, strict=True):
        h = y
        for row in w:
            h = torch.sin(h * row)
        y = y + (h * torch.tensor((draws.random(x.shape) >= p) / (1 - p)) if p else h)
    want = torch.autograd.grad(y, [first, *leaves], torch.tensor(cotangent))
    output, pulled, gradients, _ = checks.memory.plain_gradient(weights, dropout, x, cotangent, seed)
    held("Lab 1: chain of layers", "torch.autograd", [output, pulled, *gradients], [y, *want], 1e-12)


# ---- Task 6: the state machine of torch


def test_the_scale_moves_as_torch_moves_it(checks, rng):
    for _ in range(40):
        settings = checks.precision.random_settings(rng)
        overflows = [bool(flag) for flag in rng.random(50) < rng.uniform(0, 0.6)]
        assert checks.precision.scales(settings, overflows) == torch_scales(settings, overflows)


@pytest.mark.parametrize("start", [2.0**120, 2.0**126, 2.0**-120])
def test_the_ends_of_float32_are_those_of_torch(checks, start):
    for growth, overflow in ((4.0, False), (2.0, False), (2.0, True)):
        settings = {"init_scale": start, "growth_factor": growth, "backoff_factor": 0.5, "growth_interval": 2}
        overflows = [overflow] * 40 + [True, False, False]
        assert checks.precision.scales(settings, overflows) == torch_scales(settings, overflows)


def torch_scales(settings: dict[str, Any], overflows: list[bool]) -> list[list[float]]:
    """[scale, good steps] after each step of torch's GradScaler, whose gradients overflow or not as told."""
    scaler, weight = torch.amp.GradScaler("cpu", **settings), torch.nn.Parameter(torch.ones(2))
    optimizer, trace = torch.optim.SGD([weight], lr=0.0), []
    scaler.scale(torch.ones(()))
    for overflow in overflows:
        weight.grad = torch.tensor([1.0, float("inf") if overflow else 1.0])
        scaler.step(optimizer)
        scaler.update()
        trace.append([float(scaler.get_scale()), float(scaler.state_dict()["_growth_tracker"])])
    return trace


def test_steps_agree_with_torch(checks, rng, held):
    """Float16 copies, scaled gradients, GradScaler and SGD of torch on float32 weights."""
    settings = {"init_scale": 2.0**15, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 3}
    start = rng.normal(size=5).astype(np.float32)
    slope, target = rng.uniform(1, 9, size=5).astype(np.float32), rng.normal(size=5).astype(np.float32)
    history, states = checks.precision.steps([start], [slope], [target], settings, lr=0.05, count=20)
    weight = torch.nn.Parameter(torch.tensor(start))
    scaler, optimizer = torch.amp.GradScaler("cpu", **settings), torch.optim.SGD([weight], lr=0.05)
    scaler.scale(torch.ones(()))
    for want, state in zip(history, states, strict=True):
        wide = weight.detach().half().float() - torch.tensor(target)
        weight.grad = (scaler.get_scale() * torch.tensor(slope) * wide).half().float()
        scaler.step(optimizer)
        scaler.update()
        held("Lab 1: steps in mixed precision", "torch.amp.GradScaler, SGD", want[0], weight, 1e-6)
        assert state == [scaler.get_scale(), scaler.state_dict()["_growth_tracker"]]
    assert any(np.array_equal(a[0], b[0]) for a, b in itertools.pairwise(history)), "a step was skipped"


# ---- Task 7: the transformer


def torch_loss(weights: dict[str, Any], tokens: Any, targets: Any, heads: int) -> Any:
    """The network of 7a with torch's own layers of attention, GELU, RMSNorm and cross-entropy."""
    from torch.nn.functional import cross_entropy, gelu, rms_norm, scaled_dot_product_attention

    def split(x: Any) -> Any:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    x = weights["token"][tokens] + weights["position"][: tokens.shape[1]]
    size = x.shape[-1:]
    for i in range(2):
        h = rms_norm(x, size, weights[f"{i}.norm1"], 1e-6)
        q, k, v = (split(h @ weights[f"{i}.{name}"]) for name in ("query", "key", "value"))
        read = scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(-2)
        x = x + read @ weights[f"{i}.out"]
        h = rms_norm(x, size, weights[f"{i}.norm2"], 1e-6)
        x = x + gelu(h @ weights[f"{i}.up"], approximate="tanh") @ weights[f"{i}.down"]
    logits = rms_norm(x, size, weights["norm"], 1e-6) @ weights["head"]
    return cross_entropy(logits.flatten(0, 1), targets.flatten())


def test_the_loss_curve_of_the_oracle_is_that_of_torch(checks, rng, held):
    model = checks.model
    batches, letters = model.batches(rng, 50, 4, 16)
    weights = model.random_weights(rng, letters, 16, 16)
    losses, after = checks.library.oracle(weights, batches, 3e-3)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    adam, want = torch.optim.Adam(leaves.values(), lr=3e-3), []
    for tokens, targets in batches:
        loss = torch_loss(leaves, torch.tensor(tokens), torch.tensor(targets), model.HEADS)
        want.append(loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
    held("Lab 1: loss of 50 steps", "torch, SDPA and Adam", losses, want, 1e-6)
    held("Lab 1: weights after 50 steps", "torch, SDPA and Adam", after, dict(leaves), 1e-4)
    assert losses[-1] < losses[0] - 0.3, "the network learns"


def test_the_plain_loss_and_its_slopes_are_those_of_torch(checks, rng, held):
    model = checks.model
    ((tokens, targets),), letters = model.batches(rng, 1, 3, 7)
    weights = model.random_weights(rng, letters, 7, 8)
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    loss = torch_loss(leaves, torch.tensor(tokens), torch.tensor(targets), model.HEADS)
    held("Lab 1: transformer's loss", "torch, SDPA", model.loss(weights, tokens, targets), loss, 1e-12)
    loss.backward()
    for name, leaf in leaves.items():
        direction = rng.normal(size=leaf.shape)
        want = float((leaf.grad.numpy() * direction).sum())
        found = model.slope(weights, tokens, targets, {name: direction})
        held("Lab 1: transformer's slopes", "torch.autograd", found, want, 1e-10)


def test_adam_is_torchs(checks, rng, held):
    shapes = {"a": (3, 2), "b": (4,)}
    weights, *gradients = ({n: rng.normal(size=s) for n, s in shapes.items()} for _ in range(7))
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    adam = torch.optim.Adam(leaves.values(), lr=0.01)
    for want, gradient in zip(checks.model.adam(weights, gradients, 0.01), gradients, strict=True):
        for name, leaf in leaves.items():
            leaf.grad = torch.tensor(gradient[name])
        adam.step()
        held("Lab 1: Adam", "torch.optim.Adam", want, dict(leaves), 1e-12)


def test_letters_come_from_the_text_that_students_have(checks, rng):
    batches, letters = checks.model.batches(rng, 3, 2, 9)
    text = checks.model.TEXT.read_text(encoding="ascii")
    assert letters == len(set(text))
    assert 20_000 < len(text) < 40_000
    names = sorted(set(text))
    for tokens, targets in batches:
        assert np.array_equal(tokens[:, 1:], targets[:, :-1])
        assert all("".join(names[code] for code in row) in text for row in tokens)
