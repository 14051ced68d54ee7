"""The tree of modules: names as in torch, shared parameters, states that copy, and states that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from mlsys_core.autodiff import Tensor, nn
from tests.mlsys_core.autodiff import twins
from tests.mlsys_core.autodiff.against_torch import same


class Tied(nn.Module):
    """An embedding whose table is also the output's weight."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.table = nn.Embedding(5, 3, rng, dtype=np.float64)
        self.head = nn.Linear(3, 5, rng, bias=False, dtype=np.float64)
        self.head.weight = self.table.weight
        self.scale = nn.Parameter(np.ones(()))
        self.layers = [nn.LayerNorm(3, dtype=np.float64), "not a module", nn.RMSNorm(3, dtype=np.float64)]

    def forward(self, *inputs):
        """Logits of each index."""
        return self.head(self.layers[2](self.layers[0](self.table(inputs[0])))) * self.scale


NAMES = ["scale", "table.weight", "head.weight", "layers.0.weight", "layers.0.bias", "layers.2.weight"]


def test_names_are_torchs():
    ours, theirs = twins.pair(0)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [x.shape for x in ours.state_dict().values()] == [tuple(x.shape) for x in theirs.state_dict().values()]


def test_parameters_are_named_by_path_and_listed_once():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert len(model.parameters()) == len(NAMES) - 1
    assert [name for name, _ in model.children()] == ["table", "head", "layers.0", "layers.2"]


def test_a_parameter_is_a_leaf_that_requires_a_gradient():
    parameter = nn.Parameter([1.0, 2.0], np.float32)
    assert isinstance(parameter, Tensor)
    assert (parameter.requires_grad, parameter.is_leaf, parameter.dtype) == (True, True, np.float32)
    with pytest.raises(TypeError, match="Only floating tensors"):
        nn.Parameter([1, 2])


def test_a_shared_parameter_gets_the_gradients_of_both_uses():
    model = Tied()
    model(np.array([1, 1, 4])).sum().backward()
    both = model.table.weight.grad.numpy()
    untied = Tied()
    untied.head.weight = nn.Parameter(untied.table.weight.numpy().copy())
    untied(np.array([1, 1, 4])).sum().backward()
    same("gradient", both, untied.table.weight.grad.numpy() + untied.head.weight.grad.numpy())


def test_gradients_are_forgotten_everywhere():
    model = Tied()
    model(np.array([0])).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_training_is_switched_in_the_whole_tree():
    model = Tied()
    model.train(False)
    assert not any(m.training for m in (model, *(child for _, child in model.children())))
    model.train()
    assert all(m.training for m in (model, *(child for _, child in model.children())))


def test_a_state_is_a_copy():
    model = Tied()
    state = model.state_dict()
    state["scale"][...] = 9.0
    assert model.scale.item() == 1.0
    before = model.state_dict()["table.weight"]
    model.table.weight.numpy()[...] = 0.0
    assert before.any()


def test_a_state_is_loaded_in_place_and_in_the_parameters_type():
    model, other = (nn.GPT(5, 4, width=4, heads=2, blocks=1, rng=np.random.default_rng(s)) for s in (0, 1))
    arrays = [p.numpy() for p in model.parameters()]
    model.load_state_dict({name: value.astype(np.float64) for name, value in other.state_dict().items()})
    assert all(p.numpy() is x and p.dtype == np.float32 for p, x in zip(model.parameters(), arrays, strict=True))
    assert np.array_equal(model(np.array([[0, 1]])).numpy(), other(np.array([[0, 1]])).numpy())


@pytest.mark.parametrize("change", [lambda s: s.pop("scale"), lambda s: s.update(other=np.ones(1))])
def test_a_state_with_other_names_is_refused(change):
    model = Tied()
    state = model.state_dict()
    change(state)
    with pytest.raises(KeyError, match="on one side only"):
        model.load_state_dict(state)


def test_a_state_with_other_shapes_is_refused():
    model = Tied()
    # one that would broadcast
    with pytest.raises(ValueError, match=r"layers.0.bias has shape \(3,\), and the value given has \(1,\)"):
        model.load_state_dict(model.state_dict() | {"layers.0.bias": np.ones(1)})


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module does not say what it computes"):
        nn.Module()(1)
