"""Modules enough to train a small transformer: `module` (the tree), `layers`, `transformer`."""

from __future__ import annotations

from mlsys_core.autodiff.nn.layers import Dropout, Embedding, LayerNorm, Linear, RMSNorm
from mlsys_core.autodiff.nn.module import Module, Parameter
from mlsys_core.autodiff.nn.transformer import GPT, MLP, MultiHeadAttention, TransformerBlock

__all__ = [
    "GPT",
    "MLP",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Module",
    "MultiHeadAttention",
    "Parameter",
    "RMSNorm",
    "TransformerBlock",
]
