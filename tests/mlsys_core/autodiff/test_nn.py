"""Modules against torch.nn with copied weights, in float64, to a training run of twenty steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor, nn, optim
from tests.mlsys_core.autodiff import twins
from tests.mlsys_core.autodiff.against_torch import SEEDS, in_torch, same

# ours, torch's, shape of the input
LAYERS = {
    "linear": (
        lambda rng: nn.Linear(6, 5, rng, dtype=np.float64),
        lambda: torch.nn.Linear(6, 5),
        (2, 3, 6),
    ),
    "linear without bias": (
        lambda rng: nn.Linear(6, 5, rng, bias=False, dtype=np.float64),
        lambda: torch.nn.Linear(6, 5, bias=False),
        (6,),
    ),
    "layer norm": (
        lambda _: nn.LayerNorm(6, eps=0.1, dtype=np.float64),
        lambda: torch.nn.LayerNorm(6, eps=0.1),
        (4, 6),
    ),
    "rms norm": (
        lambda _: nn.RMSNorm(6, eps=0.1, dtype=np.float64),
        lambda: torch.nn.RMSNorm(6, eps=0.1),
        (4, 6),
    ),
    "attention": (
        lambda rng: nn.MultiHeadAttention(6, 2, rng, dtype=np.float64),
        lambda: twins.Attention(6, 2),
        (2, 5, 6),
    ),
    "mlp": (lambda rng: nn.MLP(6, rng, dtype=np.float64), lambda: twins.MLP(6), (2, 5, 6)),
    "block": (
        lambda rng: nn.TransformerBlock(6, 3, rng, dtype=np.float64),
        lambda: twins.Block(6, 3),
        (2, 5, 6),
    ),
}


def shaken(module: nn.Module, rng: np.random.Generator) -> nn.Module:
    """The module with every parameter random, since norms begin at 1 and 0, where faults hide."""
    for parameter in module.parameters():
        parameter.numpy()[...] = 0.5 * rng.standard_normal(parameter.shape)
    return module


def same_gradients(ours: nn.Module, theirs: torch.nn.Module) -> None:
    """Compares the gradient of every parameter by name."""
    others = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        same(f"gradient of {name}", parameter.grad, others[name].grad)


@pytest.mark.parametrize("seed", SEEDS[:4])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_torchs(name, seed):
    rng = np.random.default_rng(seed)
    make, make_theirs, shape = LAYERS[name]
    ours = shaken(make(rng), rng)
    theirs = twins.copied(ours, make_theirs())
    x = rng.standard_normal(shape)
    mine, other = Tensor(x, requires_grad=True), in_torch(x, wanted=True)
    y, z = ours(mine), theirs(other)
    same("value", y, z)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    z.backward(in_torch(u))
    same("gradient of the input", mine.grad, other.grad)
    same_gradients(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_an_embedding_is_torchs(seed):
    rng = np.random.default_rng(seed)
    ours = nn.Embedding(5, 3, rng, dtype=np.float64)
    theirs = twins.copied(ours, torch.nn.Embedding(5, 3))
    indices, u = rng.integers(0, 5, (2, 7)), rng.standard_normal((2, 7, 3))
    y, z = ours(indices), theirs(torch.tensor(indices))
    same("value", y, z)
    y.backward(u)
    z.backward(in_torch(u))
    same_gradients(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_a_transformer_is_torchs(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = twins.pair(seed)
    twins.copied(shaken(ours, rng), theirs)
    characters, targets = rng.integers(0, 11, (2, 3, 5))
    same("logits", ours(characters), theirs(torch.tensor(characters)))
    loss, other = ours.loss(characters, targets), theirs.loss(torch.tensor(characters), torch.tensor(targets))
    same("loss", loss, other)
    loss.backward()
    other.backward()
    same_gradients(ours, theirs)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_the_curvature_of_a_transformer_is_torchs(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = twins.pair(seed, blocks=1)
    characters, targets = rng.integers(0, 11, (2, 2, 7))
    v = rng.standard_normal((36, 12))
    weight = ours.blocks[0].attn.qkv.weight
    slope = ad.grad(ours.loss(characters, targets), weight, create_graph=True)
    other = theirs.blocks[0].attn.qkv.weight
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        loss = theirs.loss(torch.tensor(characters), torch.tensor(targets))
    (theirs_slope,) = torch.autograd.grad(loss, other, create_graph=True)
    same("product", ad.grad(slope, weight, v), torch.autograd.grad(theirs_slope, other, in_torch(v))[0])


def _batches(rng: np.random.Generator, steps: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pieces of a text of 11 characters that repeats itself, so that there is something to learn."""
    text = np.tile(rng.integers(0, 11, 17), 20)
    starts = rng.integers(0, len(text) - 8, (steps, 4))
    return [tuple(np.stack([text[s + k : s + k + 7] for s in row]) for k in (0, 1)) for row in starts]


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_twenty_steps_of_training_follow_torchs(seed):
    ours, theirs = twins.pair(seed)
    mine = optim.AdamW(ours.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)
    other = torch.optim.AdamW(theirs.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)
    losses = []
    for step, (characters, targets) in enumerate(_batches(np.random.default_rng(seed), 20)):
        # warm-up and then a decay, by hand in both
        mine.lr = other.param_groups[0]["lr"] = 1e-2 * min(1.0, (step + 1) / 5) * 0.98**step
        losses.append((_step(ours, mine, characters, targets), _their_step(theirs, other, characters, targets)))
    curve = np.array(losses)
    np.testing.assert_allclose(curve[:, 0], curve[:, 1], rtol=0, atol=1e-6)
    assert curve[-1, 0] < curve[0, 0] - 0.3
    for name, value in theirs.state_dict().items():
        same(f"{name} after training", ours.state_dict()[name], value, 1e-6)


def _step(model: nn.GPT, optimizer: optim.Optimizer, characters: np.ndarray, targets: np.ndarray) -> float:
    optimizer.zero_grad()
    loss = model.loss(characters, targets)
    loss.backward()
    optim.clip_grad_norm(optimizer.parameters, 1.0)
    optimizer.step()
    return loss.item()


def _their_step(
    model: twins.Transformer, optimizer: torch.optim.Optimizer, characters: np.ndarray, targets: np.ndarray
) -> float:
    optimizer.zero_grad()
    loss = model.loss(torch.tensor(characters), torch.tensor(targets))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def test_logits_do_not_depend_on_later_characters():
    model = twins.pair(5)[0]
    characters = np.random.default_rng(5).integers(0, 11, (2, 7))
    before = model(characters).numpy()
    characters[:, 4:] = (characters[:, 4:] + 1) % 11
    after = model(characters).numpy()
    same("earlier logits", after[:, :4], before[:, :4])
    assert (np.abs(after[:, 4:] - before[:, 4:]).max(axis=(0, 2)) > 1e-6).all()


def test_a_text_longer_than_the_context_is_refused():
    with pytest.raises(IndexError, match="out of bounds"):
        twins.pair(0)[0](np.zeros((1, 8), dtype=int))


def test_heads_must_share_the_width():
    with pytest.raises(ValueError, match="width of 10 cannot be shared by 4 heads"):
        nn.MultiHeadAttention(10, 4, np.random.default_rng(0))


def test_a_transformer_has_the_parameters_of_its_formula():
    model = twins.pair(0)[0]
    a_block = 12 * 12**2 + 13 * 12
    assert sum(p.size for p in model.parameters()) == (11 + 7 + 11) * 12 + 2 * a_block + 2 * 12


def test_dropout_in_a_transformer_acts_while_training_alone():
    model = nn.GPT(5, 4, width=8, heads=2, blocks=2, rng=np.random.default_rng(0), dropout=0.5)
    characters = np.array([[0, 1, 2, 3]])
    noisy = [model(characters).numpy() for _ in range(2)]
    model.train(False)
    still = [model(characters).numpy() for _ in range(2)]
    assert (noisy[0] != noisy[1]).any()
    assert np.array_equal(*still)
    assert not any(block.drop.training for block in model.blocks)
    model.train()
    assert all(block.drop.training for block in model.blocks)


def test_a_dropout_layer_draws_from_its_own_generator():
    layer, x = nn.Dropout(0.5, np.random.default_rng(3)), np.ones((4, 5))
    same("value", layer(x), ad.dropout(x, 0.5, np.random.default_rng(3)).numpy())
    layer.train(False)
    assert np.array_equal(layer(x).numpy(), x)


def test_weights_begin_where_torchs_do_and_follow_the_seed():
    layer = nn.Linear(400, 300, np.random.default_rng(1))
    for weight in (layer.weight.numpy(), layer.bias.numpy()):
        assert weight.dtype == np.float32
        assert np.abs(weight).max() <= 0.05
        assert weight.std() == pytest.approx(0.05 / 3**0.5, rel=0.1)
    assert np.array_equal(layer.weight.numpy(), nn.Linear(400, 300, np.random.default_rng(1)).weight.numpy())
    assert nn.Embedding(300, 40, np.random.default_rng(2)).weight.numpy().std() == pytest.approx(0.02, rel=0.1)
