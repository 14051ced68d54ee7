"""Mixture of experts: a token sees a few of many feed-forward parts, which ranks share. Read `router`, `layer`, then `exchange`."""

from __future__ import annotations

from mlsys_core.parallelism.moe.exchange import expert_parallel_cost
from mlsys_core.parallelism.moe.gpt import MoEGPT, average_gradients, expert_parallel
from mlsys_core.parallelism.moe.layer import MoE, combinations, fine_grained, moe_flops
from mlsys_core.parallelism.moe.router import MoEConfig, Routing, TopKRouter, balance_loss, capacity, z_loss

__all__ = [
    "MoE",
    "MoEConfig",
    "MoEGPT",
    "Routing",
    "TopKRouter",
    "average_gradients",
    "balance_loss",
    "capacity",
    "combinations",
    "expert_parallel",
    "expert_parallel_cost",
    "fine_grained",
    "moe_flops",
    "z_loss",
]
