"""A recommendation model computes what it says, in one piece or with tables spread over ranks, and its counts are torch's."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import nn

from mlsys_core.parallelism.collectives import all_reduce, all_to_all_single
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.workloads import operations as o
from mlsys_core.workloads.dlrm import DLRM, DLRMConfig, dlrm
from tests.mlsys_core.workloads.torch_counts import agree, moved_bytes


def drawn(seed, *, tables=None, devices=1, batch=None):
    """A small model, dense numbers and categories for all devices' samples."""
    draw = Random(seed)
    config = DLRMConfig(
        tables or draw.randint(1, 5),
        draw.randint(2, 20),
        draw.randint(1, 6),
        draw.randint(1, 3),
        draw.randint(1, 5),
        tuple(draw.randint(1, 7) for _ in range(draw.randint(0, 2))),
        tuple(draw.randint(1, 7) for _ in range(draw.randint(0, 3))),
    )
    dtype = draw.choice((torch.float32, torch.float64))
    samples = (batch or draw.randint(1, 5)) * devices
    torch.manual_seed(seed)
    dense = torch.randn(samples, config.dense, dtype=dtype)
    categories = torch.randint(config.rows, (samples, config.tables, config.bag))
    return config, DLRM(config).to(dtype), dense, categories


@pytest.mark.parametrize("seed", range(14))
def test_parameters_flops_and_kept_bytes_are_torchs(seed):
    config, model, dense, categories = drawn(seed)
    agree(lambda: model(dense, categories), model, dlrm(config, len(dense), size=dense.itemsize))


@pytest.mark.parametrize("seed", range(20, 26))
def test_it_is_the_published_formula_sample_by_sample(held, seed):
    config, model, dense, categories = drawn(seed)
    model, dense = model.double(), dense.double()
    expected = []
    for x, bags in zip(dense, categories, strict=True):
        vectors = [model.bottom(x)] + [t.weight[bag].sum(0) for t, bag in zip(model.tables, bags, strict=True)]
        products = [vectors[i] @ vectors[j] for i in range(len(vectors)) for j in range(i)]
        expected.append(model.top(torch.cat([vectors[0], torch.stack(products)]))[0])
    assert len(products) == config.pairs
    held("workloads: DLRM", "by hand", model(dense, categories), torch.stack(expected), 1e-12)


def test_lookups_move_the_rows_that_are_read_and_never_the_table():
    config = DLRMConfig(tables=3, rows=500, dim=8, bag=4)
    lookup = dlrm(config, 10)[0]
    rows, sums, indices = 3 * 10 * 4 * 8 * 4, 3 * 10 * 8 * 4, 3 * 10 * 4 * 8
    assert lookup.forward.memory == lookup.backward.memory == rows + sums + indices
    larger = dlrm(DLRMConfig(tables=3, rows=10**9, dim=8, bag=4), 10)[0]
    assert larger.forward == lookup.forward


def test_the_gradient_of_a_table_names_only_the_rows_that_were_read():
    config, model, dense, categories = drawn(3)
    model(dense, categories).sum().backward()
    gradient = model.tables[0].weight.grad
    assert gradient.is_sparse
    assert gradient._values().numel() == len(dense) * config.bag * config.dim
    assert set(gradient._indices()[0].tolist()) == set(categories[:, 0].flatten().tolist())


@pytest.mark.parametrize("seed", range(30, 34))
def test_the_networks_move_the_bytes_that_their_kernels_take_and_give(seed):
    config, model, dense, categories = drawn(seed)
    moved = moved_bytes(lambda: model(dense, categories))
    counted = [
        p for p in dlrm(config, len(dense), size=dense.itemsize) if p.part == "networks" and "relu" not in p.name
    ]
    biases = sum(layer.out_features for layer in model.modules() if isinstance(layer, nn.Linear)) * dense.itemsize
    products = 2 * sum(p.forward.memory for p in counted) - 2 * biases
    assert sum(p.forward.memory for p in counted) == moved["addmm"]
    first = counted[0].forward.memory - model.bottom[0].out_features * dense.itemsize
    assert moved["mm"] == products - first, "what comes in needs no gradient"


def spread(comm, config, state, dense, categories):
    """One rank of a step: own tables for everyone's samples, an all-to-all, own samples, and back."""
    model = DLRM(config).to(dense.dtype)
    model.load_state_dict(state)
    batch, own = len(dense) // comm.size, config.tables // comm.size
    mine = slice(comm.rank * own, (comm.rank + 1) * own)
    sums = torch.stack([model.tables[t](categories[:, t]) for t in range(mine.start, mine.stop)], dim=1)
    with comm.label("all_to_all"):
        come = all_to_all_single(torch.empty(comm.size * batch, own, config.dim, dtype=dense.dtype), sums, comm)
    pooled = come.view(comm.size, batch, own, -1).permute(1, 0, 2, 3).reshape(batch, config.tables, -1).requires_grad_()
    logits = model.judge(dense[comm.rank * batch :][:batch], pooled)
    logits.sum().backward()
    back = pooled.grad.view(batch, comm.size, own, -1).permute(1, 0, 2, 3).reshape(come.shape)
    with comm.label("all_to_all"):
        cotangents = all_to_all_single(torch.empty_like(sums), back, comm)
    sums.backward(cotangents)
    flat = torch.cat([p.grad.flatten() for net in (model.bottom, model.top) for p in net.parameters()])
    with comm.label("all_reduce"):
        all_reduce(flat, comm)
    return logits.detach(), flat, [model.tables[t].weight.grad.to_dense() for t in range(mine.start, mine.stop)]


@pytest.mark.parametrize(("devices", "tables"), [(2, 4), (3, 3), (4, 8)])
def test_tables_spread_over_ranks_give_the_same_step_and_send_the_bytes_that_are_counted(held, devices, tables):
    config, model, dense, categories = drawn(devices, tables=tables, devices=devices, batch=2)
    model, dense = model.double(), dense.double()
    results, log = run_ranks(devices, spread, config, model.state_dict(), dense, categories)
    whole = model(dense, categories)
    whole.sum().backward()
    held("workloads: DLRM over ranks", "one process", torch.cat([r[0] for r in results]), whole, 1e-12)
    tables_found = [gradient for result in results for gradient in result[2]]
    held(
        "workloads: DLRM over ranks",
        "one process",
        tables_found,
        [t.weight.grad.to_dense() for t in model.tables],
        1e-12,
    )
    networks = torch.cat([p.grad.flatten() for net in (model.bottom, model.top) for p in net.parameters()])
    held("workloads: DLRM over ranks", "one process", [r[1] for r in results], [networks] * devices, 1e-12)

    counted = {p.name: p.step.link for p in dlrm(config, len(dense) // devices, size=8, devices=devices)}
    for rank in range(devices):
        assert log.sent_bytes(rank, "all_to_all") == counted["all_to_all"]
    # the parts of a ring differ by an element where they cannot be equal; the mean is exact
    mean = sum(log.sent_bytes(rank, "all_reduce") for rank in range(devices)) / devices
    assert mean == pytest.approx(counted["all_reduce"], rel=1e-12)


def test_tables_that_cannot_be_spread_evenly_are_refused():
    with pytest.raises(ValueError, match="26 tables cannot be spread evenly over 4"):
        dlrm(DLRMConfig(), 8, devices=4)


def test_one_device_sends_nothing():
    assert o.total(dlrm(DLRMConfig(), 8)).link == 0
