"""The event simulator against a clock that ticks, the planner against brute force, and where PCIe and NVLink-C2C part ways."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise, product
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.offload import GH200, A100_PCIe, Choice, Layer, Machine, Task, plan_step, simulate, tasks_of
from mlsys_core.parallelism.offload.planner import _Search
from mlsys_core.parallelism.offload.program import bound, overlapped
from mlsys_core.parallelism.offload.simulator import longest_chain
from mlsys_core.parallelism.offload.step import GPU, HOST, IN, OUT, RESOURCES, load, memory_cost


@st.composite
def task_lists(draw):
    """Tasks of whole seconds that wait for some of those before them."""
    count = draw(st.integers(1, 12))
    return [
        Task(
            f"t{n}",
            draw(st.sampled_from(RESOURCES)),
            draw(st.integers(1, 5)),
            tuple(f"t{m}" for m in range(n) if draw(st.integers(0, 3)) == 0),
        )
        for n in range(count)
    ]


@st.composite
def models(draw, most=3):
    """Layers of different sizes, some with much work and some with little."""
    return [
        Layer(draw(st.integers(1, 9)) * 10**7, draw(st.integers(0, 40)) * 1e11, draw(st.integers(0, 3)) * 1e7)
        for _ in range(draw(st.integers(1, most)))
    ]


MACHINES = st.builds(
    Machine,
    flops=st.just(1e14),
    memory=st.integers(30, 300).map(lambda n: n * 1e7 + 5e6),  # between what plans need, which is in steps of 1e7
    gpu_bandwidth=st.just(2e12),
    host_bandwidth=st.sampled_from([1e11, 5e11]),
    link=st.sampled_from([1e10, 2.5e10, 4.5e11]),
    latency=st.sampled_from([0.0, 1e-5]),
)


def tick(tasks):
    """The same schedule with a clock that goes second by second."""
    begun, left, now = {}, {task.name: task.seconds for task in tasks}, 0
    while any(left.values()):
        for resource in RESOURCES:
            mine = [task for task in tasks if task.resource == resource]
            if not any(task.name in begun and left[task.name] for task in mine):
                ready = [t for t in mine if t.name not in begun and not any(left[name] for name in t.after)]
                if ready:
                    begun[ready[0].name] = now
        for name in begun:
            left[name] = max(0, left[name] - 1)
        now += 1
    return begun, now


@given(task_lists())
@settings(max_examples=60, deadline=None)
def test_tasks_begin_when_a_ticking_clock_says(tasks):
    timeline = simulate(tasks)
    begun, ended = tick(tasks)
    assert {stretch.task.name: stretch.begun_at for stretch in timeline.stretches} == begun
    assert timeline.elapsed == ended


@given(task_lists())
@settings(max_examples=60, deadline=None)
def test_no_schedule_beats_its_busiest_resource_or_its_longest_chain_or_loses_to_no_overlap(tasks):
    timeline = simulate(tasks)
    least = max(longest_chain(tasks), *(timeline.busy(resource) for resource in RESOURCES))
    assert least <= timeline.elapsed <= sum(task.seconds for task in tasks)
    for resource in timeline.resources:
        own = [s for s in timeline.stretches if s.task.resource == resource]
        assert all(a.ended_at <= b.begun_at for a, b in pairwise(own)), "one thing at a time"


@pytest.mark.parametrize(("compute", "link"), [(3.0, 2.0), (2.0, 3.0), (2.0, 2.0)])
def test_an_overlapped_step_takes_the_longer_of_compute_and_link(compute, link):
    count = 200
    tasks = []
    for n in range(count):
        tasks.append(Task(f"fetch {n}", IN, link, (f"compute {n - 2}",) if n > 1 else ()))
        tasks.append(Task(f"compute {n}", GPU, compute, (f"fetch {n}",)))
    assert simulate(tasks).elapsed == pytest.approx(max(compute, link) * count, rel=0.01)
    alone = [replace(task, after=(tasks[n - 1].name,) if n else ()) for n, task in enumerate(tasks)]
    assert simulate(alone).elapsed == pytest.approx((compute + link) * count)


def test_the_picture_shows_who_worked_when():
    timeline = simulate([Task("f", GPU, 2.0), Task("a<b", HOST, 4.0, ("f",)), Task("g", GPU, 1.0, ("f",))])
    assert timeline.text(width=6) == "gpu  |ffg...|\nhost |..aaaa|"
    boxes = ET.fromstring(timeline.svg(width=600)).findall(".//{*}rect")
    assert [(float(box.get("x")), float(box.get("width"))) for box in boxes] == [(90, 200), (290, 100), (290, 400)]
    assert boxes[2][0].text == "a<b: 2 to 6 s"


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ([Task("a", GPU, 1, ("b",)), Task("b", GPU, 1, ("a",))], "in a circle.*a, b"),
        ([Task("a", GPU, 1), Task("a", HOST, 1)], "one name"),
        ([Task("a", GPU, 1, ("z",))], "waits for 'z'"),
        ([Task("a", GPU, -1)], "0 or more"),
    ],
)
def test_tasks_that_cannot_run_are_a_sentence(tasks, says):
    with pytest.raises(ValueError, match=says):
        simulate(tasks)


@given(MACHINES, models(), st.data())
@settings(max_examples=40, deadline=None)
def test_the_load_of_each_resource_is_the_sum_of_the_tasks_that_it_gets(machine, layers, data):
    choices = tuple(data.draw(st.sampled_from(list(Choice))) for _ in layers)
    timeline = simulate(tasks_of(machine, layers, choices, data.draw(st.integers(0, 2))))
    for resource in RESOURCES:
        loads = sum(load(machine, layers, n, choice)[resource] for n, choice in enumerate(choices))
        assert timeline.busy(resource) == pytest.approx(loads, rel=1e-9)
    assert timeline.elapsed >= bound(machine, layers, choices) * (1 - 1e-12)
    search = _Search(machine, layers, 1, 1)
    for n, choice in enumerate(choices):
        assert search._chain(n, choice) <= timeline.elapsed * (1 + 1e-12), "what the search leaves out is never faster"


@given(MACHINES, models())
@settings(max_examples=20, deadline=None)
def test_the_planner_finds_what_brute_force_finds(machine, layers):
    fitting = [
        (simulate(tasks_of(machine, layers, choices, distance)).elapsed, bound(machine, layers, choices), distance)
        for distance in (0, 1)
        for choices in product(Choice, repeat=len(layers))
        if memory_cost(layers, choices, distance) <= machine.memory
    ]
    if not fitting:
        with pytest.raises(ValueError, match="use smaller layers"):
            plan_step(machine, layers, (0, 1))
        return
    plan = plan_step(machine, layers, (0, 1))
    assert plan.proven
    assert plan.memory <= machine.memory
    assert plan.seconds == pytest.approx(min(fitting)[0], rel=1e-9)
    relaxed = overlapped(machine, layers, 0)
    least = min((b for _, b, distance in fitting if distance == 0), default=None)
    assert (relaxed is None) == (least is None)
    if relaxed is not None:
        assert bound(machine, layers, relaxed) == pytest.approx(least, rel=1e-6)


def test_the_planner_misses_nothing_where_compute_and_transfers_take_alike(held):
    """Random models whose passes, transfers and updates take about as long as each other, so that every bound of the search matters."""
    draws = random.Random(7)
    found, least = [], []
    for _ in range(25):
        layers = [Layer(draws.randint(1, 9) * 10**7, draws.uniform(1, 30) * 1e10) for _ in range(3)]
        whole = 16 * sum(layer.parameters for layer in layers)
        machine = Machine(
            1e14, draws.uniform(0.6, 1.0) * whole, 2e12, draws.uniform(2e12, 8e12), draws.uniform(1e11, 9e11), 0.0
        )
        every = [choices for choices in product(Choice, repeat=3) if memory_cost(layers, choices, 1) <= machine.memory]
        least.append(min(simulate(tasks_of(machine, layers, choices)).elapsed for choices in every))
        plan = plan_step(machine, layers, (1,))
        assert plan.proven
        found.append(plan.seconds)
    scale = max(least)
    held("offload planner", "brute force", [t / scale for t in found], [t / scale for t in least], 1e-9)


BLOCKS = [Layer(200_000_000, 2 * 200e6 * 2048, 0.1e9)] * 6
SUPERCHIP = replace(GH200, memory=12e9)
PCIE_HOST = replace(SUPERCHIP, link=A100_PCIe.link)


def test_on_a_superchip_the_states_come_to_the_gpu_and_behind_pcie_adam_goes_to_the_states():
    """The same GPU with the same memory for the same model: only the link differs, and with it the best plan."""
    near, far = (plan_step(machine, BLOCKS, (1,)) for machine in (SUPERCHIP, PCIE_HOST))
    flows = [sum(choice.states_flow for choice in plan.choices) for plan in (near, far)]
    assert flows[0] > 3 > flows[1] == 0
    assert sum(choice.adam_on_host for choice in far.choices) >= 3

    def seconds(machine, plan):
        return simulate(tasks_of(machine, BLOCKS, plan.choices, plan.distance)).elapsed

    # each plan is good where it was made: 24 bytes a parameter are cheap at 450 GB/s and ruinous at 25
    assert seconds(PCIE_HOST, near) > 2 * far.seconds
    assert seconds(SUPERCHIP, far) > 1.2 * near.seconds
    busiest = {
        machine: max(RESOURCES, key=lambda r, m=machine: load(m, BLOCKS, 0, Choice.STATES_FLOW)[r])
        for machine in (SUPERCHIP, PCIE_HOST)
    }
    assert busiest[PCIE_HOST] in {IN, OUT}
    link, host = (load(SUPERCHIP, BLOCKS, 0, c)[r] for c, r in ((Choice.STATES_FLOW, IN), (Choice.HOST_ADAM, HOST)))
    assert link < host, "on a superchip states travel faster than the host updates them"


def test_with_memory_for_everything_nothing_is_offloaded_where_that_costs_time():
    roomy = replace(A100_PCIe, memory=1e12, host_bandwidth=1e9)
    assert set(plan_step(roomy, BLOCKS[:3]).choices) == {Choice.RESIDENT}


def test_weights_that_do_not_fit_flow_and_are_fetched_ahead():
    # the weights alone are 2.4 GB
    small = replace(GH200, memory=2.8e9, link=25e9, host_bandwidth=1e12)
    layers = [replace(layer, flops=layer.flops * 20, activations=0) for layer in BLOCKS]
    plan = plan_step(small, layers, (0, 1), limit=200)
    assert any(choice.weights_on_host for choice in plan.choices)
    assert plan.memory <= 2.8e9 < memory_cost(layers, (Choice.HOST_ADAM,) * 6, plan.distance)
    waits = simulate(tasks_of(small, layers, (Choice.WEIGHTS_FLOW,) * 6, 0)).elapsed
    ahead = simulate(tasks_of(small, layers, (Choice.WEIGHTS_FLOW,) * 6, 1)).elapsed
    assert ahead < waits


def test_a_model_whose_activations_do_not_fit_is_a_sentence():
    with pytest.raises(ValueError, match=r"The GPU has 1 GB, and activations and buffers need .* use smaller layers"):
        plan_step(replace(GH200, memory=1e9), [Layer(1000, 1e9, 2e9)])


def test_zero_offload_moves_four_bytes_a_parameter():
    layers = [Layer(1_000_000, 1e9)] * 4
    machine = replace(A100_PCIe, latency=0.0, link=1.0)
    moved = sum(load(machine, layers, n, Choice.HOST_ADAM)[r] for n in range(4) for r in (IN, OUT))
    assert moved == 4 * 4_000_000
    assert load(machine, layers, 0, Choice.ALL_FLOW)[IN] == 16_000_000, "weights twice, states once"
    assert load(machine, layers, 0, Choice.ALL_FLOW)[OUT] == 14_000_000
    held = memory_cost(layers, (Choice.RESIDENT,) * 4, 1)
    assert held == 16 * 4_000_000
    assert memory_cost(layers, (Choice.HOST_ADAM,) * 4, 1) == 2 * 4_000_000 + 2 * 2_000_000
