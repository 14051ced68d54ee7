"""A factor of each channel, moved from one layer into the next: the function stays, the numbers change their sizes.

Idea      What a layer gives to the next may be divided by any positive number, channel by channel, if the next one's weights are multiplied
          by it. So large activations can be made small and small weights large, or the other way round, before either is rounded.
Equation  W x = (W diag(s)) (diag(s)⁻¹ x);   diag(s)⁻¹ rmsnorm(h) ⊙ g = rmsnorm(h) ⊙ (g / s);   the same for rows of a linear layer
Paper     M. Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.1; G. Xiao et
          al., "SmoothQuant", ICML 2023, section 4.
Cost      One pass over the weights; nothing when the model runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlsys_core.workloads.gpt import RMSNorm

# of a block: what gives its channels, and the layers that read them
AFTER_NORMS = (
    ("attn_norm", ("attn.q_proj", "attn.k_proj", "attn.v_proj")),
    ("ffn_norm", ("ffn.gate_proj", "ffn.up_proj")),
)
AFTER_UP = (("ffn.up_proj", ("ffn.down_proj",)),)  # silu(gate) ⊙ up is linear in up


@torch.no_grad()
def fold(before: RMSNorm | nn.Linear, after: Sequence[nn.Linear], scale: Tensor) -> None:
    """Divides channel i of what `before` gives by scale[i] and multiplies column i of all of `after` by it, in place.

    scale (channels,), positive. Raises ValueError for another, before anything is changed.
    """
    channels = {before.weight.shape[0], *(linear.in_features for linear in after)}
    if channels != {len(scale)}:
        raise ValueError(f"{len(scale)} factors do not fit layers with {sorted(channels)} channels: give one for each.")
    if not bool(((scale > 0) & torch.isfinite(scale)).all()):
        raise ValueError("A factor is not positive or not finite: its channel could not be brought back.")
    if getattr(before, "bias", None) is not None:
        raise ValueError(
            "The layer before has a bias, which would have to be divided too: only layers without one fold."
        )
    before.weight.div_(scale if before.weight.ndim == 1 else scale[:, None])
    for linear in after:
        linear.weight.mul_(scale)
