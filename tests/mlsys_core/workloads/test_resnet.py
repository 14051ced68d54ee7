"""A ResNet's stage computes what its equation says, has the published size, and counts as torch counts."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from mlsys_core.workloads import operations as o
from mlsys_core.workloads.resnet import RESNET50, Bottleneck, Stage, StageConfig, stage
from tests.mlsys_core.workloads.torch_counts import agree, moved_bytes


def drawn(seed):
    """A small stage, images that need a gradient, and the height and width."""
    draw = Random(seed)
    config = StageConfig(draw.randint(1, 9), draw.randint(1, 4), draw.randint(1, 3), draw.randint(1, 3))
    dtype = draw.choice((torch.float32, torch.float64))
    shape = (draw.randint(2, 3), config.channels, draw.randint(2, 9), draw.randint(2, 9))
    torch.manual_seed(seed)
    return config, Stage(config).to(dtype), torch.randn(shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("seed", range(14))
def test_parameters_flops_and_kept_bytes_are_torchs(seed):
    config, model, images = drawn(seed)
    batch, _, height, width = images.shape
    agree(lambda: model(images), model, stage(config, batch, height, width, size=images.itemsize))


@pytest.mark.parametrize("seed", range(20, 26))
def test_convolutions_move_the_bytes_that_their_kernels_take_and_give(seed):
    """Backward one kernel reads the cotangent, the input and the weights once; two separate products would read them twice."""
    config, model, images = drawn(seed)
    moved = moved_bytes(lambda: model(images))
    counted = stage(config, *images.shape[:1], *images.shape[2:], size=images.itemsize)
    assert o.by_part(counted, "forward")["convolution"].memory == moved["convolution"]
    cotangents = sum(operation.forward.memory for operation in counted if operation.part == "convolution")
    assert o.by_part(counted, "backward")["convolution"].memory == 2 * cotangents


def test_the_four_stages_make_the_published_resnet_50():
    """With the first convolution and the last layer it has 25,557,032 parameters and needs 4.09 G multiplications at 224."""
    sides = (56, 56, 28, 14)
    counted = [stage(config, 1, side, side) for config, side in zip(RESNET50, sides, strict=True)]
    first, last = 64 * 3 * 7 * 7, 2048 * 1000
    assert sum(map(o.parameters, counted)) + first + 2 * 64 + last + 1000 == 25_557_032
    products = sum(o.total(one, "forward").flops for one in counted) // 2 + first * 112**2 + last
    assert round(products / 1e9, 2) == 4.09


@pytest.mark.parametrize("seed", range(5))
def test_a_bottleneck_is_what_scipys_correlation_and_plain_formulas_make(held, seed):
    draw = np.random.default_rng(seed)
    channels, inner, stride = int(draw.integers(1, 6)), int(draw.integers(1, 4)), int(draw.integers(1, 3))
    block = Bottleneck(channels, inner, stride).double()
    images = draw.standard_normal((2, channels, 5, 6))

    def normalised(x, layer, stride=1):
        weights, norm = layer.conv.weight.detach().numpy(), layer.norm
        pad = weights.shape[-1] // 2
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        y = np.stack([[correlate(image, w, mode="valid")[0] for w in weights] for image in padded])[
            ..., ::stride, ::stride
        ]
        mean, variance = y.mean((0, 2, 3), keepdims=True), y.var((0, 2, 3), keepdims=True)
        return (y - mean) / np.sqrt(variance + norm.eps)

    inside = np.maximum(normalised(images, block.reduce), 0)
    inside = np.maximum(normalised(inside, block.look, stride), 0)
    around = images if isinstance(block.shortcut, torch.nn.Identity) else normalised(images, block.shortcut, stride)
    expected = np.maximum(normalised(inside, block.widen) + around, 0)
    held("workloads: ResNet bottleneck", "scipy.signal.correlate", block(torch.tensor(images)), expected, 1e-10)


def test_a_block_that_changes_nothing_has_a_shortcut_without_weights():
    plain, strided, wider = (Bottleneck(8, 2, 1), Bottleneck(8, 2, 2), Bottleneck(7, 2, 1))
    assert not list(plain.shortcut.parameters())
    assert list(strided.shortcut.parameters())
    assert list(wider.shortcut.parameters())
