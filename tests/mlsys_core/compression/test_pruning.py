"""A whole model pruned, layer after layer; masks that hold while it recovers."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from mlsys_core.compression.calibration import LINEARS
from mlsys_core.compression.masks import NM, PerRow, Unstructured, is_n_of_m
from mlsys_core.compression.pruning import METHODS, apply_masks, half, prune, prune_layer, two_of_four
from mlsys_core.compression.sparsegpt import sparsegpt
from mlsys_core.compression.wanda import wanda_mask
from mlsys_core.workloads.gpt import GPT, GPTConfig

CONFIG = GPTConfig(vocab_size=17, context=16, dim=24, layers=2, heads=4, kv_heads=2, ffn=40)


def tokens(seed: int = 0) -> torch.Tensor:
    return torch.randint(17, (6, 12), generator=torch.Generator().manual_seed(seed))


def moments(model: GPT, layer: str) -> torch.Tensor:
    """X Xᵀ of a layer's inputs, by a hook of the test's own."""
    seen: list[torch.Tensor] = []
    hook = model.get_submodule(layer).register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(tokens())
    hook.remove()
    x = seen[0].flatten(0, 1).double()
    return x.T @ x


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("choose", [half, two_of_four])
def test_every_layer_of_the_blocks_is_pruned_as_its_pattern_says_and_nothing_else(method, choose):
    dense = GPT(CONFIG, seed=1)
    model, pattern = deepcopy(dense), choose(method)
    masks = prune(model, tokens(), method, pattern, seed=3)
    assert set(masks) == {f"blocks.{i}.{name}" for i in range(2) for name in LINEARS}
    for name, weight in model.named_parameters():
        layer = name.removesuffix(".weight")
        if layer not in masks:
            assert torch.equal(weight, dense.get_parameter(name)), name
            continue
        assert torch.equal(weight != 0, masks[layer])
        assert float((weight == 0).double().mean()) == 0.5
        if isinstance(pattern, NM):
            assert is_n_of_m(weight, pattern)
        if method != "sparsegpt":
            assert torch.equal(weight, dense.get_parameter(name) * masks[layer])


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_a_layer_is_calibrated_on_what_the_pruned_layers_before_it_give(method):
    dense = GPT(CONFIG, seed=2)
    model = deepcopy(dense)
    prune(model, tokens(), method, NM(2, 4))
    last = "blocks.1.ffn.down_proj"
    weight, found = dense.get_submodule(last).weight, model.get_submodule(last).weight
    # all before it are pruned in `model` and none in `dense`
    now, then = moments(model, last), moments(dense, last)
    if method == "wanda":
        assert torch.equal(found, weight * wanda_mask(weight, now, NM(2, 4)))
        assert not torch.equal(found, weight * wanda_mask(weight, then, NM(2, 4)))
    else:
        expected, _ = sparsegpt(weight, now, NM(2, 4))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        other, _ = sparsegpt(weight, then, NM(2, 4))
        assert (other - expected).abs().max() > 1e-4


def test_the_papers_take_half_of_rows_or_of_matrices():
    assert half("wanda") == PerRow(0.5)
    assert {half(method) for method in METHODS if method != "wanda"} == {Unstructured(0.5)}
    assert {two_of_four(method) for method in METHODS} == {NM(2, 4)}
    with pytest.raises(ValueError, match="no method 'optimal'"):
        prune_layer(torch.ones(2, 4), torch.eye(4), "optimal", NM(2, 4), generator=torch.Generator())
    with pytest.raises(ValueError, match="wanda looks at a layer's inputs"):
        prune_layer(torch.ones(2, 4), None, "wanda", NM(2, 4), generator=torch.Generator())


def test_a_pruned_model_stays_pruned_while_it_trains():
    model = GPT(CONFIG, seed=3)
    masks = prune(model, tokens(), "magnitude", NM(2, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = model.loss(tokens(), tokens(1))
        loss.backward()
        optimizer.step()
        assert any(not is_n_of_m(model.get_submodule(name).weight, NM(2, 4)) for name in masks)
        apply_masks(model, masks)
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(is_n_of_m(model.get_submodule(name).weight, NM(2, 4)) for name in masks)
