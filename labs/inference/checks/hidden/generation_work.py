"""The work of generating with a cache: what the best dense program does, and what no program can do without."""

from __future__ import annotations

Sizes = dict[str, int]


def _token(config: Sizes) -> int:
    """Operations of one token in the matrices of all layers."""
    own = 2 * config["head_dim"] * (config["heads"] + config["kv_heads"]) + 2 * config["hidden"]
    return 2 * config["layers"] * config["width"] * own


def _pair(config: Sizes) -> int:
    """Operations of one query and one key in all heads and layers."""
    return 4 * config["layers"] * config["heads"] * config["head_dim"]


def _logits(config: Sizes) -> int:
    return 2 * config["width"] * config["vocabulary"]


def with_cache(config: Sizes, lengths: list[int], steps: int) -> int:
    """A rectangle of prompts, all pairs of it, then a token at a time that sees as many slots as the longest row has in use."""
    width = max(lengths)
    tokens = width + steps - 1
    pairs = width**2 + sum(width + step for step in range(1, steps))
    return len(lengths) * (tokens * _token(config) + pairs * _pair(config) + steps * _logits(config))


def without_cache(config: Sizes, lengths: list[int], steps: int) -> int:
    """The whole prefix again in each step, with the logits of its last token alone."""
    widths = range(max(lengths), max(lengths) + steps)
    per_row = sum(one * _token(config) + one**2 * _pair(config) + _logits(config) for one in widths)
    return len(lengths) * per_row


def least(config: Sizes, lengths: list[int], steps: int) -> int:
    """Real tokens alone, each with those that it sees."""
    total = 0
    for length in lengths:
        tokens = length + steps - 1
        total += tokens * _token(config) + tokens * (tokens + 1) // 2 * _pair(config) + steps * _logits(config)
    return total
