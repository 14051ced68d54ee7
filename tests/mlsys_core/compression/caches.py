"""Draws of heads, their queries, keys and values, and a cache that is driven through them."""

from __future__ import annotations

import random
from types import SimpleNamespace

import torch

from mlsys_core.workloads.gpt import GPTConfig, rope


def drawn(seed, tokens, *, batch=2, widths=(4, 6, 8, 10)):
    """Heads in groups, sizes that differ, and q, k, v (B, heads, tokens, D) in float64, not turned."""
    draw, numbers = random.Random(seed), torch.Generator().manual_seed(seed)
    kv_heads, groups, width = draw.randint(1, 3), draw.randint(1, 3), draw.choice(widths)
    heads = kv_heads * groups
    config = GPTConfig(dim=heads * width, layers=1, heads=heads, kv_heads=kv_heads, rope_theta=draw.choice([50.0, 1e4]))
    shapes = ((batch, heads, tokens, width), (batch, kv_heads, tokens, width), (batch, kv_heads, tokens, width))
    q, k, v = (torch.randn(shape, generator=numbers, dtype=torch.float64) for shape in shapes)
    return SimpleNamespace(config=config, q=3 * q, k=k, v=v, batch=batch, tokens=tokens, groups=groups)


def pieces(prompt, tokens):
    """A prompt in one piece, and then one token at a time."""
    return [(0, prompt), *((t, t + 1) for t in range(prompt, tokens))]


def driven(policy, draw, cuts):
    """After each piece: where it begins and ends, what it read, and the cache."""
    cache = policy.layer(draw.config)
    for start, end in cuts:
        cache.update(draw.k[:, :, start:end], draw.v[:, :, start:end])
        yield start, end, cache.attend(draw.q[:, :, start:end]), cache


def turned(draw):
    """Queries and keys, turned by their places in the text."""
    where = torch.arange(draw.tokens)
    return rope(draw.q, where, draw.config.rope_theta), rope(draw.k, where, draw.config.rope_theta)


def weights_by_hand(draw, b, head, query, kept):
    """What one query of one head gives to each of the tokens that are kept, up to itself; token -> weight."""
    q, k = turned(draw)
    seen = [i for i in kept if i <= query]
    scores = torch.stack([q[b, head, query] @ k[b, head // draw.groups, i] for i in seen]) / q.shape[-1] ** 0.5
    return dict(zip(seen, scores.softmax(0).tolist(), strict=True))
