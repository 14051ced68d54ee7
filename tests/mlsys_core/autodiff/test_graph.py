"""The sweep itself: order, each operation once, shares that meet, deep graphs, memory, and when nothing is recorded."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from mlsys_core.autodiff.graph import tape
from mlsys_core.autodiff.tape import Op
from mlsys_core.autodiff.tensor import record
from tests.mlsys_core.autodiff.against_torch import Trial, hold, same, same_all

DEEP = 100_000


def leaf(*shape: int, seed: int = 0) -> Tensor:
    """A random leaf that requires a gradient."""
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def noted(x: Tensor, visits: list[int]) -> Tensor:
    """The same numbers, by an operation that notes its serial number whenever its reverse rule runs."""

    def vjp(g, out, _of):
        visits.append(out.serial)
        return (g,)

    return record(Op("noted", vjp, lambda t, _out, _of: t[0]), x.numpy() + 0, (x,))


def chain(x: Tensor, length: int) -> Tensor:
    """A product of so many factors that it is nearly e times x."""
    for _ in range(length):
        x = x * (1 + 1 / length)
    return x


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Only reference counts free memory, so a cycle shows."""
    gc.disable()
    yield
    gc.enable()


def test_the_tape_is_oldest_first_and_holds_each_operation_once():
    x = leaf(3)
    a = x * x
    b = a + x
    c = (a * b + b) / a
    order = tape((c, b))
    assert len(order) == len(set(order)) == 5
    assert order[:2] == [a, b]
    assert order[-1] is c
    for i, node in enumerate(order):
        assert {parent for parent in node.parents if not parent.is_leaf} <= set(order[:i])


def test_each_operation_is_visited_once_and_after_all_its_users():
    visits: list[int] = []
    x = leaf(2)
    y = x
    for _ in range(50):
        # two paths a level: 2⁵⁰ paths in all
        left, right = noted(y, visits), noted(y, visits)
        y = left * 0.5 + noted(left, visits) * 0.25 + right * 0.25
    y.backward(np.ones(2))
    assert len(visits) == 150
    assert visits == sorted(visits, reverse=True)
    same("gradient", x.grad, np.ones(2))


def test_operations_that_lead_nowhere_are_not_visited():
    visits: list[int] = []
    x = leaf(2)
    noted(x, visits)
    (noted(x, visits) * 2).sum().backward()
    assert len(visits) == 1


def test_only_what_lies_between_outputs_and_inputs_is_visited():
    behind: list[int] = []
    between: list[int] = []
    beside: list[int] = []
    y = noted(leaf(2), behind) * 2.0
    z = noted(y, between) * noted(leaf(2, seed=1), beside)
    ad.grad(z.sum(), y)
    assert (len(behind), len(between), len(beside)) == (0, 1, 0)


def test_a_shared_subexpression_is_summed():
    def run(x, y):
        shared = x * y
        return (shared + shared * shared) * shared + shared

    hold(Trial([np.array([0.3, -2.0]), np.array([1.1, 0.7])], run, run), np.random.default_rng(0))


def test_a_diamond_of_views_is_summed():
    def run(x):
        return x[0] * x.sum() + x.T[:, 1] * x[1, :2].sum() + x.reshape(4)[2:].sum() * x[0]

    hold(Trial([np.random.default_rng(1).standard_normal((2, 2))], run, run), np.random.default_rng(1))


def test_shares_that_meet_do_not_run_into_one_another():
    # addition hands the same array to both operands; the sums that it meets must not be made inside it
    a, b, u = leaf(4), leaf(4, seed=1), np.arange(4.0)
    ((a + b) + a + a + a).backward(u)
    same_all("gradient", [a.grad, b.grad], [4 * np.arange(4.0), np.arange(4.0)])
    same("cotangent", u, np.arange(4.0))


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_share_no_memory_with_each_other_or_with_the_cotangent(create_graph):
    a, b, u = leaf(3), leaf(3, seed=1), np.ones(3)
    (a + b).backward(u, create_graph=create_graph)
    a.grad.numpy()[...] = 7.0
    same_all("untouched", [b.grad.numpy(), u], [np.ones(3), np.ones(3)])


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_of_sums_can_be_changed_in_place(create_graph):
    x = leaf(2, 3)
    x.sum().backward(create_graph=create_graph)
    x.grad.numpy()[0] *= 2
    same("gradient", x.grad, np.array([[2.0] * 3, [1.0] * 3]))


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_second_backward_accumulates_and_leaves_the_first_gradient_alone(create_graph):
    x = leaf(3)
    y = ad.sin(x)
    y.backward(np.ones(3), create_graph=create_graph)
    first = x.grad.numpy()
    y.backward(np.array([1.0, 2.0, -1.0]), create_graph=create_graph)
    same_all("gradient", [first, x.grad], [np.cos(x.numpy()), np.cos(x.numpy()) * [2.0, 3.0, 0.0]])
    x.zero_grad()
    assert x.grad is None


def test_the_graph_of_another_output_accumulates_too():
    x = leaf(3)
    shared = x * x
    shared.sum().backward()
    (shared * x).sum().backward()
    same("gradient", x.grad, 2 * x.numpy() + 3 * x.numpy() ** 2)


def test_a_leaf_is_its_own_gradient():
    x = leaf(2)
    x.backward(np.array([1.0, 5.0]))
    same("gradient", x.grad, np.array([1.0, 5.0]))
    same("of itself", ad.grad(x, x, np.array([2.0, 3.0])), np.array([2.0, 3.0]))


def test_only_leaves_that_require_it_keep_a_gradient():
    x, constant = leaf(2), Tensor(np.ones(2))
    middle = x * constant
    (middle + constant).sum().backward()
    assert middle.grad is None
    assert constant.grad is None


def test_a_deep_chain_is_built_swept_and_freed_without_recursion(without_collector):
    x = Tensor(2.0, requires_grad=True)
    y = chain(x, DEEP)
    y.backward()
    same("gradient", x.grad, np.array((1 + 1 / DEEP) ** DEEP), 1e-8)
    middle = weakref.ref(y.parents[0].parents[0])
    del y
    assert middle() is None


def test_a_deep_chain_is_swept_forward_and_as_a_graph():
    x = Tensor(2.0, requires_grad=True)
    moved = ad.jvp(lambda t: chain(t * t, DEEP), (x,), (1.0,))[1]
    slope = ad.grad(chain(x * x, DEEP), x, create_graph=True)
    same_all("slope", [moved, slope], [np.array(4 * (1 + 1 / DEEP) ** DEEP)] * 2)
    same("second slope", ad.grad(slope, x), np.array(2 * (1 + 1 / DEEP) ** DEEP), 1e-8)


def test_a_wide_sum_is_swept():
    xs = [Tensor(float(i), requires_grad=True) for i in range(5000)]
    total = xs[0] * 0.0
    for x in xs:
        total = total + x * x
    total.backward()
    same("gradients", np.array([x.grad.item() for x in xs]), 2 * np.arange(5000.0))


def test_a_graph_is_freed_with_its_output(without_collector):
    x = leaf(3)
    y = ad.layer_norm(ad.softmax(x * x))
    refs = [weakref.ref(node) for node in tape((y,))]
    y.backward(np.ones(3))
    del y
    assert len(refs) == 3
    assert [ref() for ref in refs] == [None] * 3


def test_nothing_is_recorded_where_nothing_requires_a_gradient():
    y = Tensor(np.ones(2)) * Tensor(np.ones(2))
    assert y.is_leaf
    assert y.parents == ()


def test_without_grad_nothing_is_recorded_and_inputs_are_let_go(without_collector):
    x = leaf(3)
    with ad.no_grad():
        middle = x * x
        y = ad.softmax(middle)
    ref = weakref.ref(middle)
    del middle
    assert ref() is None
    assert not y.requires_grad
    with pytest.raises(ValueError, match="Nothing behind this tensor requires a gradient"):
        y.backward(np.ones(3))


def test_recording_is_put_back_also_after_an_error():
    with pytest.raises(KeyError), ad.no_grad():
        raise KeyError
    assert ad.is_recording()


def test_recording_nests():
    with ad.no_grad():
        with ad.recording(on=True), ad.recording(on=False):
            assert not ad.is_recording()
        with ad.recording(on=True):
            assert ad.is_recording()
        assert not ad.is_recording()
    assert ad.is_recording()


def test_a_decorated_function_records_nothing_and_may_call_itself():
    @ad.no_grad()
    def power(x, n):
        assert not ad.is_recording()
        return x if n == 1 else x * power(x, n - 1)

    assert not power(leaf(2), 5).requires_grad
    assert ad.is_recording()


def test_threads_record_for_themselves():
    found = []
    with ad.no_grad():
        thread = threading.Thread(target=lambda: found.append(ad.is_recording()))
        thread.start()
        thread.join()
    assert found == [True]


def test_a_decorated_function_may_run_in_two_threads_at_once():
    inside, leave = {n: threading.Event() for n in "ab"}, {n: threading.Event() for n in "ab"}
    after = {}

    @ad.no_grad()
    def work(name):
        inside[name].set()
        assert leave[name].wait(10)

    def run(name):
        with ad.recording(on=name == "a"):
            work(name)
            after[name] = ad.is_recording()

    threads = {name: threading.Thread(target=run, args=name) for name in "ab"}
    for name, thread in threads.items():
        thread.start()
        assert inside[name].wait(10)
    for name, thread in threads.items():
        # in the order of entering, which is not that of a stack
        leave[name].set()
        thread.join()
    assert after == {"a": True, "b": False}


def test_a_detached_tensor_stops_the_gradient():
    x = leaf(3)
    (x * (x * x).detach()).sum().backward()
    same("gradient", x.grad, x.numpy() ** 2)


def test_an_output_of_many_elements_needs_a_cotangent_of_its_shape():
    y = leaf(2, 3) * 2.0
    with pytest.raises(ValueError, match=r"The shape is \(2, 3\), so the sweep needs a cotangent"):
        y.backward()
    with pytest.raises(ValueError, match=r"cotangent has shape \(3,\) and the tensor has \(2, 3\)"):
        y.backward(np.ones(3))


def test_one_element_of_any_shape_needs_no_cotangent():
    x = leaf(1, 1)
    (x * x).backward()
    same("gradient", x.grad, 2 * x.numpy())
