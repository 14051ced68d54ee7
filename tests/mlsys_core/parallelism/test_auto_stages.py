"""Stages against brute force and against what is done by hand, and the whole plan of a GPT."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.auto import Pipeline, Stage, equal_layers, equal_operators, parallelize, slice_stages
from mlsys_core.parallelism.auto.planner import Nodes
from mlsys_core.parallelism.auto.stages import submeshes
from mlsys_core.parallelism.communication import Fabric
from mlsys_core.workloads.gpt import GPTConfig

INFINITE = float("inf")


def every_pipeline(layers, nodes, devices, micro_batches, time):
    """All ways to cut layers into stages and to give them meshes that use every device."""
    for count in range(1, layers + 1):
        for inner in combinations(range(1, layers), count - 1):
            edges = [0, *inner, layers]
            for meshes in product(submeshes(nodes, devices), repeat=count):
                if sum(a * b for a, b in meshes) == nodes * devices:
                    stages = tuple(
                        Stage(edges[i], edges[i + 1], meshes[i], time(edges[i], edges[i + 1], meshes[i], count - i))
                        for i in range(count)
                    )
                    if all(stage.seconds < INFINITE for stage in stages):
                        yield Pipeline(stages, micro_batches)


@st.composite
def problems(draw):
    """Layers of random work on a small cluster; a stage's time falls with devices, less than it could; some do not fit."""
    layers = draw(st.integers(1, 5))
    work = draw(st.lists(st.integers(1, 30), min_size=layers, max_size=layers))
    nodes, devices = draw(st.sampled_from([(1, 2), (1, 4), (2, 2), (3, 1), (2, 1)]))
    seed = draw(st.integers(0, 10**6))

    @cache
    def time(first, last, mesh, depth):
        noise = hash((seed, first, last, mesh)) % 10
        if hash((seed, last, mesh, depth, first)) % 5 == 0:
            return INFINITE
        return sum(work[first:last]) / (mesh[0] * mesh[1]) ** 0.8 + noise

    return layers, nodes, devices, draw(st.integers(1, 16)), time


@given(problems())
@settings(max_examples=60, deadline=None)
def test_stages_are_those_of_brute_force(problem):
    expected = min((pipeline.seconds for pipeline in every_pipeline(*problem)), default=None)
    found = slice_stages(*problem)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.seconds == pytest.approx(expected)
        assert [stage.first for stage in found.stages[1:]] == [stage.last for stage in found.stages[:-1]]
        assert sum(stage.mesh[0] * stage.mesh[1] for stage in found.stages) == problem[1] * problem[2]


@given(problems(), st.lists(st.integers(1, 9), min_size=5, max_size=5))
@settings(max_examples=60, deadline=None)
def test_they_are_never_slower_than_equal_layers_or_equal_operators(problem, operators):
    layers, *rest = problem
    found = slice_stages(*problem)
    for by_hand in (equal_layers(*problem), equal_operators(operators[:layers], *rest)):
        if by_hand is not None:
            assert found.seconds <= by_hand.seconds * (1 + 1e-12)


def wide_resnet(first, last, mesh, depth):
    """Seconds of stages of a network whose four groups of blocks double in width and halve in resolution, with a wide last group:
    FLOPs stay even while weights, and so what is summed between devices, grow four times a group."""
    del depth
    seconds = 0.0
    for layer in range(first, last):
        group = layer // 4
        flops, weights = 1.0 + 0.5 * (layer % 4 == 0), 0.02 * 4**group
        devices = mesh[0] * mesh[1]
        seconds += flops / devices + weights * 2 * (devices - 1) / devices * (8 if mesh[0] > 1 else 1)
    return seconds


def test_on_a_network_that_grows_they_are_faster_than_any_equal_split():
    found = slice_stages(16, 2, 4, 16, wide_resnet)
    layers = equal_layers(16, 2, 4, 16, wide_resnet)
    operators = equal_operators([7 if layer % 4 == 0 else 6 for layer in range(16)], 2, 4, 16, wide_resnet)
    assert found.seconds < 0.95 * min(layers.seconds, operators.seconds)
    sizes = {stage.mesh for stage in found.stages}
    assert len(sizes) > 1 or len({stage.last - stage.first for stage in found.stages}) > 1


def test_the_time_of_a_pipeline_is_what_a_schedule_takes():
    """Each micro-batch enters a stage when the one before has left it and the stage before is through with it."""
    times, micro_batches = (3.0, 5.0, 2.0), 7
    free = [0.0] * len(times)
    for _ in range(micro_batches):
        now = 0.0
        for stage, seconds in enumerate(times):
            now = free[stage] = max(now, free[stage]) + seconds
    stages = tuple(Stage(i, i + 1, (1, 1), seconds) for i, seconds in enumerate(times))
    assert Pipeline(stages, micro_batches).seconds == free[-1]


def test_sub_meshes_are_powers_of_two_of_a_node_or_whole_nodes():
    assert submeshes(3, 4) == [(1, 1), (1, 2), (1, 4), (2, 4), (3, 4)]
    assert submeshes(2, 1) == [(1, 1), (2, 1)]
    with pytest.raises(ValueError, match="power of two"):
        slice_stages(2, 1, 6, 1, lambda *_: 1.0)


GPT = GPTConfig(vocab_size=51200, context=1024, dim=2048, layers=4, heads=16, kv_heads=8, ffn=5632)
CLUSTER = Nodes(2, 4, Fabric(5e-6, 1 / 300e9), Fabric(10e-6, 1 / 25e9), 150e12, 80e9)


def test_a_gpt_becomes_stages_on_nodes_with_its_last_stage_short_because_of_the_head():
    planned = parallelize(GPT, 4, 16, CLUSTER)
    assert [stage.mesh for stage in planned.pipeline.stages] == [(1, 4), (1, 4)]
    first, last = (stage.last - stage.first for stage in planned.pipeline.stages)
    assert first > last, "the head of 51,200 words is worth more than a block"
    for layers, stage in zip(planned.layers, planned.pipeline.stages, strict=True):
        assert sum(layer.seconds for layer in layers) <= stage.seconds
        borders = {layer.ways["out"].output for layer in layers}
        assert len(borders) == 1, "the residual stream keeps its spec inside a stage"


def held_by(planned):
    """Bytes on a device of each stage, with the micro-batches that 1F1B has in flight there."""
    depth = len(planned.layers)
    return [
        sum(layer.weights + (depth - number) * layer.kept for layer in layers)
        for number, layers in enumerate(planned.layers)
    ]


def test_less_memory_makes_another_plan_and_far_less_makes_none():
    gpt = replace(GPT, layers=2)
    roomy = parallelize(gpt, 4, 16, replace(CLUSTER, nodes=1))
    held = max(held_by(roomy))
    tight = parallelize(gpt, 4, 16, replace(CLUSTER, nodes=1, memory=0.9 * held))
    assert tight.pipeline.seconds > roomy.pipeline.seconds
    assert max(held_by(tight)) <= 0.9 * held
    with pytest.raises(ValueError, match=r"No plan fits 0\.01 GB on each of 4 devices"):
        parallelize(gpt, 4, 16, replace(CLUSTER, nodes=1, memory=1e7))
