"""Counts of torch code hold against closed forms and against torch's own counter, and are the same in every run."""

from __future__ import annotations

import random

import pytest

from grader.inside import counts
from grader.inside.program import Program

torch = pytest.importorskip("torch")
SEEDS = range(4)


def sizes(seed: int, count: int) -> list[int]:
    """Lengths that all differ."""
    return random.Random(seed).sample(range(3, 60), count)


@pytest.mark.parametrize("seed", SEEDS)
def test_flops_of_products_are_2mnk_each(seed):
    m, n, k, batch = sizes(seed, 4)
    a, b, c = torch.randn(batch, m, k), torch.randn(batch, k, n), torch.randn(n, m)
    count, out = counts.flops(lambda x, y, z: torch.tanh(x @ y) @ z, [a, b, c])
    assert count == 2 * batch * m * n * k + 2 * batch * m * n * m
    torch.testing.assert_close(out, torch.tanh(a @ b) @ c)


@pytest.mark.parametrize("seed", SEEDS)
def test_flops_of_training_are_three_times_those_of_the_forward_pass(seed):
    rows, wide, narrow = sizes(seed, 3)
    x, w = torch.randn(rows, wide, requires_grad=True), torch.randn(wide, narrow, requires_grad=True)

    def step(x, w):
        (x @ w).square().sum().backward()

    count, _ = counts.flops(step, [x, w])
    assert count == 3 * 2 * rows * wide * narrow
    with torch.utils.flop_counter.FlopCounterMode(display=False) as theirs:
        step(x, w)
    assert count == theirs.get_total_flops()


@pytest.mark.parametrize("seed", SEEDS)
def test_flops_of_attention_are_4_n_squared_d_a_head(seed):
    n, d, heads = sizes(seed, 3)
    q = torch.randn(1, heads, n, d)
    count, _ = counts.flops(torch.nn.functional.scaled_dot_product_attention, [q, q, q])
    assert count == 4 * heads * n * n * d
    again, _ = counts.flops(lambda q: torch.softmax(q @ q.mT, -1) @ q, [q])
    assert again == count


def test_flops_of_the_backward_pass_of_fused_attention_are_counted():
    q = torch.randn(1, 3, 20, 8, requires_grad=True)
    count, _ = counts.flops(lambda q: torch.nn.functional.scaled_dot_product_attention(q, q, q).sum().backward(), [q])
    # two products forward; backward the scores again, and two products for each of the two
    assert count == (2 + 5) * 2 * 3 * 20 * 20 * 8


@pytest.mark.parametrize("seed", SEEDS)
def test_saved_bytes_of_a_layer_are_its_activation(seed):
    rows, wide, narrow = sizes(seed, 3)
    x = torch.randn(rows, wide)
    w, v = torch.randn(wide, narrow, requires_grad=True), torch.randn(narrow, wide, requires_grad=True)
    count, out = counts.saved_bytes(lambda x: torch.tanh(x @ w) @ v, [x])
    assert count == 4 * rows * narrow, "x, w and v were there before"
    out.sum().backward()
    assert v.grad is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storage_counts_once_and_whole(seed):
    rows, wide = sizes(seed, 2)
    x = torch.randn(rows, wide, requires_grad=True)

    def twice(x):
        y = x * 2
        return (y[:1] * y[:1].clone()).sum() + (y * y).sum()

    count, _ = counts.saved_bytes(twice, [x])
    assert count == 4 * rows * wide + 4 * wide


@pytest.mark.parametrize("seed", SEEDS)
def test_checkpoints_keep_one_activation_a_block(seed):
    rows, wide, depth = sizes(seed, 3)
    depth = depth % 5 + 2
    weights = [torch.randn(wide, wide, requires_grad=True) for _ in range(depth)]
    x = torch.randn(rows, wide)

    def block(x, w):
        return torch.tanh(torch.tanh(x @ w) @ w)

    def whole(x, keep):
        for w in weights:
            x = block(x, w) if keep else torch.utils.checkpoint.checkpoint(block, x, w, use_reentrant=False)
        return x.sum()

    all_kept, _ = counts.saved_bytes(lambda x: whole(x, keep=True), [x])
    few_kept, out = counts.saved_bytes(lambda x: whole(x, keep=False), [x])
    assert all_kept == 4 * rows * wide * 2 * depth
    # each keeps the state of the generator too, so that dropout drops the same again
    assert few_kept == 4 * rows * wide * (depth - 1) + depth * torch.get_rng_state().nbytes
    out.backward()
    assert weights[0].grad is not None


def test_what_is_hidden_on_ctx_or_in_a_list_is_found():
    cache = []

    class Hoard(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.hidden = x * 2
            cache.append(torch.zeros(7))
            return x + 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.hidden

    x = torch.ones(100, requires_grad=True)
    count, out = counts.saved_bytes(Hoard.apply, [x])
    assert count == 400 + 28
    assert counts.saved_bytes(lambda x: x + 1, [x])[0] == 0
    assert out.shape == (100,)


def test_outputs_in_containers_are_no_savings():
    x = torch.ones(50)
    assert counts.saved_bytes(lambda x: {"a": [x + 1, (x + 2, "text")], "b": x}, [x])[0] == 0


def test_counts_are_the_same_in_every_run():
    x, w = torch.randn(9, 17), torch.randn(17, 5, requires_grad=True)
    found = {
        (counts.flops(torch.matmul, [x, w])[0], counts.saved_bytes(lambda x: (x @ w).exp(), [x])[0]) for _ in range(20)
    }
    assert found == {(2 * 9 * 17 * 5, 4 * 9 * 5)}


def test_a_driver_finds_them_beside_timing():
    program = Program()
    program.load_driver(
        "def cost(program, n):\n    import torch\n    x = torch.ones(n, n)\n    return counts.flops(torch.mm, [x, x])[0]\n"
    )
    assert program.call("cost", {"n": 6}) == 2 * 6**3


def test_tensors_without_memory_that_a_compiler_left_behind_are_no_matter():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        left = torch.ones(1000, 1000)
    x = torch.ones(50, requires_grad=True)
    assert counts.saved_bytes(lambda x: x + 1, [x])[0] == 0
    assert left.shape == (1000, 1000)
