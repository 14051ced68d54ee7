"""How a layer is cut for inference: what stays, what travels, which layout moves least. Read `feed_forward`, `attention`, `cost`."""

from __future__ import annotations

from mlsys_core.serving.layouts.attention import (
    attention_cost,
    batch_sharded_attention,
    crossover_context,
    head_sharded_attention,
)
from mlsys_core.serving.layouts.cost import LAYOUTS, Layout, best_layout, crossovers, feed_forward_floor
from mlsys_core.serving.layouts.feed_forward import (
    axes_mesh,
    shard_activations,
    shard_weights,
    weight_gathered,
    weight_gathered_cost,
    weight_stationary,
    weight_stationary_cost,
)

__all__ = [
    "LAYOUTS",
    "Layout",
    "attention_cost",
    "axes_mesh",
    "batch_sharded_attention",
    "best_layout",
    "crossover_context",
    "crossovers",
    "feed_forward_floor",
    "head_sharded_attention",
    "shard_activations",
    "shard_weights",
    "weight_gathered",
    "weight_gathered_cost",
    "weight_stationary",
    "weight_stationary_cost",
]
