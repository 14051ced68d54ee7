"""Ways to cut an operator against torch's autograd on the parts, re-cutting against the bytes that are missing, the integer program
against brute force, and the layout of Megatron-LM, which nobody told it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.auto import (
    Graph,
    Grid,
    Op,
    Problem,
    gpt_block,
    reshard_cost,
    shard,
    solve,
    spec_name,
    strategies,
)
from mlsys_core.parallelism.auto.graph import FREE
from mlsys_core.parallelism.auto.intra import problem_of
from mlsys_core.parallelism.communication import Fabric
from mlsys_core.workloads.gpt import GPTConfig

NVLINK, INFINIBAND = Fabric(5e-6, 1 / 300e9), Fabric(10e-6, 1 / 25e9)
BYTES = Fabric(alpha_s=0.0, beta_s=1.0)  # a second a byte
LARGE = GPTConfig(vocab_size=51200, context=1024, dim=2048, layers=4, heads=16, kv_heads=8, ffn=5632)
MATMUL = Op("y", "bsh,hf->bsf", (FREE, FREE), (1,))


def grid(*shape, **other):
    return Grid(shape, (INFINIBAND, NVLINK), 150e12, **other)


@pytest.mark.parametrize("label", "bshf")
def test_what_is_added_over_an_axis_is_what_autograd_needs(held, label):
    """Parts of a product along a label: tensors that have it are joined, tensors that lack it are summed, forward and backward."""
    sizes, parts = {"b": 4, "s": 6, "h": 8, "f": 2}, 2
    draws = torch.Generator().manual_seed(ord(label))

    def draw(labels):
        return torch.randn([sizes[one] for one in labels], generator=draws, dtype=torch.float64)

    def cut(tensor, labels):
        return tensor.chunk(parts, labels.index(label)) if label in labels else (tensor,) * parts

    x, w, cotangent = draw("bsh").requires_grad_(), draw("hf").requires_grad_(), draw("bsf")
    y = torch.einsum(MATMUL.equation, x, w)
    expected = [y, *torch.autograd.grad(y, (x, w), cotangent)]
    found = []
    for a, b, g in zip(cut(x, "bsh"), cut(w, "hf"), cut(cotangent, "bsf"), strict=True):
        own = [part.detach().requires_grad_() for part in (a, b)]
        made = torch.einsum(MATMUL.equation, *own)
        found.append([made, *torch.autograd.grad(made, own, g)])
    way = next(
        w
        for w in strategies(Graph(sizes, (MATMUL,)), MATMUL, Grid((1, parts), (BYTES, BYTES), 1e30))
        if w.cut[1] == label
    )
    talk = 0.0
    for labels, whole, pieces in zip(("bsf", "bsh", "hf"), expected, zip(*found, strict=True), strict=True):
        if label in labels:
            joined = torch.cat(pieces, labels.index(label))
        else:
            joined = torch.stack(pieces).sum(0)
            # each of two ranks sends half of it twice; x is data, so its gradient is not wanted
            talk += 2 * whole.numel() if labels != "bsh" else 0
        held("a cut product, with its gradients", "torch autograd on the whole", joined, whole, 1e-12)
    assert way.talk == pytest.approx(talk)


def boxes(spec, shape, grid_shape, device):
    """The part of a tensor that a device holds."""
    part = []
    for length, axes in zip(shape, spec, strict=True):
        low, high = 0, length
        for axis in axes:
            step = (high - low) // grid_shape[axis]
            low, high = low + device[axis] * step, low + (device[axis] + 1) * step
        part.append((low, high))
    return part


def missing(shape, source, target, grid_shape):
    """Elements that the neediest device must receive."""
    needs = []
    for device in product(*map(range, grid_shape)):
        have, want = (boxes(spec, shape, grid_shape, device) for spec in (source, target))
        size = common = 1
        for (a, b), (c, d) in zip(have, want, strict=True):
            size, common = size * (d - c), common * max(0, min(b, d) - max(a, c))
        needs.append(size - common)
    return max(needs)


SPECS = [
    spec
    for spec in product([(), (0,), (1,), (0, 1)], repeat=3)
    if sorted(axis for axes in spec for axis in axes) in ([], [0], [1], [0, 1])
]


@pytest.mark.parametrize("shape", [(2, 4), (4, 2), (1, 4)])
def test_re_cutting_costs_at_least_the_missing_bytes_and_nothing_where_none_is_missing(shape):
    lengths, mesh = (8, 16, 24), Grid(shape, (BYTES, BYTES), 1.0)
    for source, target in product(SPECS, SPECS):
        need = missing(lengths, source, target, shape)
        cost = reshard_cost(8 * 16 * 24, source, target, mesh)
        assert cost >= need * (1 - 1e-12), (spec_name(source), spec_name(target))
        assert (cost == 0) == (need == 0), (spec_name(source), spec_name(target))
        gathered = reshard_cost(8 * 16 * 24, source, ((), (), ()), mesh)
        assert cost <= gathered, "never more than to gather all and cut again"


@pytest.mark.parametrize(
    ("source", "target", "seconds"),
    [
        (((1,), ()), ((), ()), 3 * 96 / 4),  # all-gather
        (((), ()), ((1,), ()), 0),  # a slice
        (((1,), ()), ((), (1,)), 3 * 96 / 16),  # all-to-all
        (((0,), (1,)), ((0,), ()), 3 * 48 / 4),  # of the half that axis 0 leaves
        (((0, 1), ()), ((), ()), 3 * 48 / 4 + 96 / 2),
    ],
)
def test_gathers_slices_and_exchanges_cost_what_alpa_says(source, target, seconds):
    assert reshard_cost(96, source, target, Grid((2, 4), (BYTES, BYTES), 1.0)) == pytest.approx(seconds)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_integer_program_equals_brute_force(data):
    numbers = st.integers(0, 20).map(float)
    ways = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    pairs = [(v, u) for v in range(len(ways)) for u in range(len(ways)) if v != u]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=7)) if pairs else []
    problem = Problem(
        [data.draw(st.lists(numbers, min_size=k, max_size=k)) for k in ways],
        [data.draw(st.lists(numbers, min_size=k, max_size=k)) for k in ways],
        {
            (v, u): [data.draw(st.lists(numbers, min_size=ways[u], max_size=ways[u])) for _ in range(ways[v])]
            for v, u in edges
        },
    )
    # between what choices need, which are whole numbers
    memory = data.draw(st.sampled_from([float("inf"), *(n + 0.5 for n in range(0, 60, 5))]))
    fitting = [each for each in product(*map(range, ways)) if problem.memory(each) <= memory]
    found = solve(problem, memory)
    if not fitting:
        assert found is None
        return
    assert problem.memory(found) <= memory
    assert problem.cost(found) == pytest.approx(min(map(problem.cost, fitting)))


@given(
    st.sampled_from([(1, 2), (1, 4), (2, 1)]),
    st.sampled_from([1, 2, 8]),
    st.sampled_from([8, 64, 1024]),
    st.floats(0.2, 1),
)
@settings(max_examples=12, deadline=None)
def test_cutting_a_network_of_five_operators_equals_brute_force(shape, batch, width, room):
    sizes = {"b": batch, "s": 16, "h": width, "f": 2 * width, "v": 4 * width}
    graph = Graph(
        sizes,
        (
            Op("in", "bsh->bsh", (FREE,), work=0.0),
            Op("up", "bsh,hf->bsf", ("in", FREE), (1,)),
            Op("act", "bsf->bsf", ("up",), whole="s", work=0.0),
            Op("down", "bsf,fh->bsh", ("act", FREE), (1,), whole="s"),
            Op("add", "bsh,bsh->bsh", ("in", "down"), whole="s", work=0.0),
        ),
    )
    mesh = grid(*shape)
    problem, ways = problem_of(graph, mesh)
    every = list(product(*(range(len(each)) for each in ways)))
    most = max(map(problem.memory, every))
    memory = round(room * most) + 0.5
    fitting = [problem.cost(each) for each in every if problem.memory(each) <= memory * (1 - 1e-5)]
    found = shard(graph, mesh, memory=memory)
    assert (found is None) == (not fitting)
    if found is not None:
        assert found.seconds == pytest.approx(min(fitting), rel=1e-6)
        assert found.weights + found.kept <= memory


def cuts(assignment, axis=1):
    return {name: way.cut[axis] for name, way in assignment.ways.items()}


def test_it_finds_megatrons_layout_columns_then_rows():
    """With one sequence there is no batch to cut: attention is cut by heads, the network by its inner width."""
    found = shard(gpt_block(LARGE, 1), grid(1, 4))
    cut = cuts(found)
    # columns first, each shard with heads of its own; then rows, whose parts are summed once
    assert [cut[name] for name in ("q", "k", "v", "attend", "o")] == ["n"] * 5
    assert [cut[name] for name in ("gate", "up", "gated", "down")] == ["f"] * 4
    assert spec_name(found.ways["o"].inputs[1]) == "S1 R R R", "rows"
    assert spec_name(found.ways["up"].inputs[1]) == "R S1", "columns"
    assert spec_name(found.ways["down"].inputs[1]) == "S1 R", "rows"


def test_on_two_nodes_it_replicates_over_the_slow_links_and_cuts_matrices_over_the_fast_ones():
    found = shard(gpt_block(LARGE, 8), grid(2, 4))
    assert {name: way for name, way in cuts(found, 0).items() if way != "b"} == {}, "data parallel between nodes"
    assert {cuts(found)[name] for name in ("q", "k", "v", "attend", "o")} == {"n"}
    assert {cuts(found)[name] for name in ("gate", "up", "gated", "down")} == {"f"}


def test_with_many_tokens_it_is_data_parallel_until_the_weights_do_not_fit():
    block = gpt_block(LARGE, 32)
    roomy = shard(block, grid(1, 4))
    assert set(cuts(roomy).values()) == {"b"}
    tight = shard(block, grid(1, 4), memory=roomy.kept + 0.6 * roomy.weights)
    assert tight.weights < roomy.weights
    assert {"f", "n"} & set(cuts(tight).values())
    assert tight.seconds > roomy.seconds
    assert shard(block, grid(1, 4), memory=1e6) is None


def test_a_head_that_is_cut_by_vocabulary_sums_only_its_gradient():
    block = gpt_block(LARGE, 1, ends=(False, True))
    found = shard(block, grid(1, 4))
    assert cuts(found)["head"] == "v"
    assert spec_name(found.ways["head"].output) == "R R S1"


def test_work_is_divided_where_it_is_cut_and_repeated_where_it_is_not():
    sizes = {"b": 4, "s": 6, "h": 8, "f": 4}
    graph = Graph(sizes, (MATMUL,))
    ways = {way.cut: way for way in strategies(graph, MATMUL, grid(2, 2))}
    whole = 6 * 4 * 6 * 8 * 4 / 150e12
    assert len(ways) == 5 * 5 - 1, "six positions are not cut in four"
    assert ways["", ""].compute == pytest.approx(whole)
    assert ways["", ""].talk == 0
    assert ways["b", "f"].compute == pytest.approx(whole / 4)
    assert ways["b", "f"].weights == 16 * 8 * 4 / 2
    assert ways["f", "f"].kept == 2 * 4 * 6 * 4 / 4
    assert spec_name(ways["f", "f"].output) == "R R S01"


def test_lengths_that_do_not_divide_are_not_cut():
    graph = Graph({"b": 3, "s": 6, "h": 8, "f": 2}, (MATMUL,))
    allowed = {way.cut[1] for way in strategies(graph, MATMUL, grid(1, 4))}
    assert allowed == {"", "h"}


@pytest.mark.parametrize(
    ("ops", "says"),
    [
        ((MATMUL, MATMUL), "one name"),
        ((replace(MATMUL, inputs=("z", FREE)),), "which no operator makes"),
        ((replace(MATMUL, inputs=(FREE,)),), "its equation bsh,hf->bsf has other"),
        ((MATMUL, Op("z", "bsh->bsh", ("y",))), r"takes \(4, 6, 8\) where y makes \(4, 6, 2\)"),
    ],
)
def test_operators_that_do_not_fit_together_are_a_sentence(ops, says):
    with pytest.raises(ValueError, match=says):
        Graph({"b": 4, "s": 6, "h": 8, "f": 2}, ops)
