"""Layers that are cut give what the whole layers give: outputs, gradients of inputs and of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.tensor import (
    ColumnParallelLinear,
    RowParallelLinear,
    SequenceParallelNorm,
    VocabParallelEmbedding,
    gather_full,
    load_full,
)
from mlsys_core.workloads.gpt import RMSNorm

DENSE = "the dense layer (torch autograd)"


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
    whole = nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)
    for seed, parameter in enumerate(whole.parameters()):
        parameter.data.copy_(draw(seed, *parameter.shape))
    return whole


def dense(whole: nn.Module, x: torch.Tensor, cotangent: torch.Tensor):
    """Output and gradients of the whole layer: of its input where it has one, of its weights by name."""
    x = x.clone().requires_grad_(x.is_floating_point())
    y = whole(x)
    y.backward(cotangent)
    grads = {name: p.grad.clone() for name, p in whole.named_parameters()}
    whole.zero_grad()
    return y.detach(), x.grad, grads


def cut(comm, make, x, cotangent):
    """Output, gradient of the input and gathered gradients of weights of a layer that is cut."""
    layer = make(comm)
    x = x.clone().requires_grad_(x.is_floating_point())
    y = layer(x)
    y.backward(cotangent)
    return y.detach(), x.grad, gather_full({name: p.grad for name, p in layer.named_parameters()}, layer, comm)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("ranks", "outputs"), [(1, 5), (2, 6), (3, 7), (4, 11)])
def test_columns_with_gathered_output_are_the_dense_layer(ranks, outputs, bias, held):
    whole, x, cotangent = linear(5, outputs, bias), draw(1, 2, 3, 5), draw(2, 2, 3, outputs)
    results, _ = run_ranks(ranks, cut, lambda comm: ColumnParallelLinear(whole, comm, gather_output=True), x, cotangent)
    for found in results:
        held("ColumnParallelLinear", DENSE, found, dense(whole, x, cotangent), 1e-13)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("ranks", "inputs"), [(1, 5), (2, 6), (3, 7), (4, 11)])
def test_rows_of_a_whole_input_are_the_dense_layer(ranks, inputs, bias, held):
    whole, x, cotangent = linear(inputs, 4, bias), draw(1, 2, 3, inputs), draw(2, 2, 3, 4)
    results, _ = run_ranks(
        ranks, cut, lambda comm: RowParallelLinear(whole, comm, input_is_parallel=False), x, cotangent
    )
    for found in results:
        held("RowParallelLinear", DENSE, found, dense(whole, x, cotangent), 1e-13)


class Pair(nn.Module):
    """Columns, a nonlinearity, rows: nothing is sent between them."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        return self.second(F.gelu(self.first(x)))


@pytest.mark.parametrize(("ranks", "inner"), [(2, 6), (3, 8), (4, 9)])
def test_columns_then_rows_send_one_sum_each_way(ranks, inner, held):
    whole = Pair(linear(5, inner, bias=True), linear(inner, 5, bias=True))
    x, cotangent = draw(1, 2, 4, 5), draw(2, 2, 4, 5)

    def make(comm):
        return Pair(ColumnParallelLinear(whole.first, comm), RowParallelLinear(whole.second, comm))

    results, log = run_ranks(ranks, cut, make, x, cotangent)
    for found in results:
        held("column then row", DENSE, found, dense(whole, x, cotangent), 1e-13)
    gradients = (ranks - 1) * sum(p.numel() for name, p in whole.named_parameters() if name != "second.bias")
    sums = 2 * 2 * (ranks - 1) * x.numel()
    assert sum(message.size for message in log.messages) == 8 * (sums + gradients)


@pytest.mark.parametrize("ranks", [2, 3])
def test_with_sequences_cut_outside_the_pair_is_the_dense_layer_of_the_gathered_sequence(ranks, held):
    """Norm, columns, rows, with biases: the gradients of what is whole on every rank are sums over the parts."""
    time = 2 * ranks
    norm = RMSNorm(5, 1e-5).double()
    norm.weight.data.copy_(draw(8, 5))
    whole = nn.Sequential(norm, Pair(linear(5, 7, bias=True), linear(7, 5, bias=True)))
    x, cotangent = draw(1, 2, time, 5), draw(2, 2, time, 5)

    def program(comm):
        def make(comm):
            columns = ColumnParallelLinear(whole[1].first, comm, sequence_parallel=True)
            rows = RowParallelLinear(whole[1].second, comm, sequence_parallel=True)
            return nn.Sequential(SequenceParallelNorm(norm, comm), Pair(columns, rows))

        return cut(comm, make, x.chunk(ranks, 1)[comm.rank], cotangent.chunk(ranks, 1)[comm.rank])

    results, _ = run_ranks(ranks, program)
    y, x_grad, grads = dense(whole, x, cotangent)
    held("sequence-parallel regions", DENSE, torch.cat([r[0] for r in results], 1), y, 1e-13)
    held("sequence-parallel regions", DENSE, torch.cat([r[1] for r in results], 1), x_grad, 1e-13)
    for _, _, found in results:
        held("sequence-parallel regions", DENSE, found, grads, 1e-13)


@pytest.mark.parametrize(("ranks", "words"), [(1, 5), (2, 9), (3, 10), (4, 29)])
def test_a_table_cut_by_words_is_the_whole_table(ranks, words, held):
    whole = nn.Embedding(words, 3, dtype=torch.float64)
    tokens = torch.randint(words, (2, 7), generator=torch.Generator().manual_seed(ranks))
    tokens[0, :2] = torch.tensor([0, words - 1])
    cotangent = draw(3, 2, 7, 3)
    results, _ = run_ranks(ranks, cut, lambda comm: VocabParallelEmbedding(whole, comm), tokens, cotangent)
    y, _, grads = dense(whole, tokens, cotangent)
    for found_y, _, found_grads in results:
        held("VocabParallelEmbedding", DENSE, found_y, y, 0)
        held("VocabParallelEmbedding", DENSE, found_grads, grads, 1e-14)


def test_whole_weights_are_loaded_in_slices_and_gathered_whole():
    first, second = linear(5, 7, bias=True), linear(5, 7, bias=True)
    second.weight.data.mul_(-2.0)

    def program(comm):
        layer = ColumnParallelLinear(first, comm)
        load_full(layer, second.state_dict(), comm)
        assert len(layer.weight) == [3, 2, 2][comm.rank]
        return gather_full(dict(layer.named_parameters()), layer, comm)

    results, _ = run_ranks(3, program)
    for found in results:
        assert set(found) == {"weight", "bias"}
        assert all(torch.equal(found[name], whole) for name, whole in second.state_dict().items())
    with pytest.raises(ValueError, match="There is no weight called bias"):
        run_ranks(2, lambda comm: load_full(ColumnParallelLinear(first, comm), {"weight": first.weight}, comm))
