"""A block of a diffusion transformer computes what its paper says, and its counts are torch's."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import nn

from mlsys_core.workloads import operations as o
from mlsys_core.workloads.dit import DiTBlock, DiTConfig, dit_block
from tests.mlsys_core.workloads.torch_counts import agree, moved_bytes


def drawn(seed):
    """A block with a modulation that does something, patches and a condition that need gradients."""
    draw = Random(seed)
    heads, batch, patches = draw.choice((1, 2, 3)), draw.randint(1, 4), draw.randint(1, 11)
    config = DiTConfig(heads * draw.choice((1, 3, 4, 8)), heads, draw.randint(1, 4))
    dtype = draw.choice((torch.float32, torch.float64))
    torch.manual_seed(seed)
    block = DiTBlock(config).to(dtype)
    nn.init.normal_(block.modulation.weight)
    nn.init.normal_(block.modulation.bias)
    x = torch.randn(batch, patches, config.dim, dtype=dtype, requires_grad=True)
    condition = torch.randn(batch, config.dim, dtype=dtype, requires_grad=True)
    return config, block, x, condition


@pytest.mark.parametrize("seed", range(12))
def test_parameters_flops_and_kept_bytes_are_torchs(seed):
    config, block, x, condition = drawn(seed)
    batch, patches, _ = x.shape
    agree(lambda: block(x, condition), block, dit_block(config, batch, patches, size=x.itemsize))


@pytest.mark.parametrize("seed", range(20, 24))
def test_attention_moves_the_bytes_that_its_kernel_takes_and_gives(seed):
    config, block, x, condition = drawn(seed)
    moved = moved_bytes(lambda: block(x, condition))
    scores = o.by_part(dit_block(config, *x.shape[:2], size=x.itemsize))["scores"]
    assert scores.memory == sum(count for name, count in moved.items() if name.startswith("_scaled_dot_product"))


@pytest.mark.parametrize("seed", range(30, 34))
def test_a_new_block_is_the_identity_and_still_learns(seed):
    config, _, x, condition = drawn(seed)
    block = DiTBlock(config).to(x.dtype)
    out = block(x, condition)
    assert torch.equal(out, x)
    out.backward(torch.randn_like(out))
    assert block.modulation.weight.grad.abs().max() > 0


@pytest.mark.parametrize("seed", range(40, 46))
def test_the_block_is_made_of_torchs_attention_and_layer_norm(held, seed):
    """Spelled out image by image, with torch's own multi-head attention holding the same weights."""
    config, block, x, condition = drawn(seed)
    block, x, condition = block.double(), x.detach().double(), condition.detach().double()
    attention = nn.MultiheadAttention(config.dim, config.heads, batch_first=True, dtype=torch.float64)
    attention.in_proj_weight, attention.in_proj_bias = block.qkv.weight, block.qkv.bias
    attention.out_proj.weight, attention.out_proj.bias = block.proj.weight, block.proj.bias
    expected = []
    for image, c in zip(x, condition, strict=True):
        s = (block.modulation.weight @ (c * torch.sigmoid(c)) + block.modulation.bias).view(6, config.dim)
        n = (image - image.mean(1, keepdim=True)) / (image.var(1, keepdim=True, unbiased=False) + 1e-6).sqrt()
        n = n * (1 + s[1]) + s[0]
        read = image + s[2] * attention(n[None], n[None], n[None], need_weights=False)[0][0]
        n = (read - read.mean(1, keepdim=True)) / (read.var(1, keepdim=True, unbiased=False) + 1e-6).sqrt()
        n = n * (1 + s[4]) + s[3]
        h = n @ block.fc1.weight.T + block.fc1.bias
        h = 0.5 * h * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (h + 0.044715 * h**3)))
        expected.append(read + s[5] * (h @ block.fc2.weight.T + block.fc2.bias))
    held(
        "workloads: DiT block",
        "torch.nn.MultiheadAttention, by hand",
        block(x, condition),
        torch.stack(expected),
        1e-12,
    )


def test_28_blocks_of_dit_xl_need_the_paper_s_118_6_billion_products():
    """Table 1 of the paper: DiT-XL/2 at 256 patches, 118.6 G multiplications, with its embedding and head."""
    dim, patches = 1152, 256
    blocks = 28 * o.total(dit_block(DiTConfig(), 1, patches), "forward").flops // 2
    # patches of 2 x 2 x 4 numbers in; noise and variance out, after a modulation of their own; noise level by two layers
    around = patches * dim * 16 + patches * dim * 32 + 2 * dim * dim + 256 * dim + dim * dim
    assert round((blocks + around) / 1e9, 1) == 118.6
    assert o.parameters(dit_block(DiTConfig(), 1, patches)) == 18 * dim * dim + 15 * dim


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="cannot be shared by 5 heads"):
        DiTConfig(dim=12, heads=5)
