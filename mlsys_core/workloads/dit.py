"""A block of a diffusion transformer: the transformer that denoises patches of an image, told how noisy they are.

Idea      The noise level (and the class) become a vector c, which shifts, scales and gates each half of the block. The gates
          start at zero, so a new block is the identity and a deep stack trains from the start.
Equation  (β₁, γ₁, α₁, β₂, γ₂, α₂) = W silu(c) + b
          x ← x + α₁ ⊙ attention((1 + γ₁) ⊙ LN(x) + β₁);   x ← x + α₂ ⊙ MLP((1 + γ₂) ⊙ LN(x) + β₂)
Paper     W. Peebles, S. Xie, "Scalable diffusion models with transformers", ICCV 2023, section 3.2 (adaLN-Zero), table 1;
          A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021.
Cost      18 d² + 15 d parameters a block, six of the eighteen for the modulation; 24 N d² + 4 N² d + 12 d² FLOPs an image
          forward for N patches. No mask, so all of the square of scores is used.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.workloads import operations as o
from mlsys_core.workloads.operations import Operation


@dataclass(frozen=True)
class DiTConfig:
    """Sizes of a block: `heads` divides `dim`; `ratio` · dim is the inner width. The defaults are DiT-XL's."""

    dim: int = 1152
    heads: int = 16
    ratio: int = 4

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"A width of {self.dim} cannot be shared by {self.heads} heads: give a multiple.")


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """(1 + scale) ⊙ x + shift: x (B, N, dim), shift and scale (B, dim), the same for all patches of an image."""
    return x * (1 + scale[:, None]) + shift[:, None]


class DiTBlock(nn.Module):
    """Patches x (B, N, dim) and condition c (B, dim) -> patches (B, N, dim)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        dim, self.heads = config.dim, config.heads
        # what is learned of a normalisation is in the modulation
        self.norm1 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, config.ratio * dim), nn.Linear(config.ratio * dim, dim)
        self.modulation = nn.Linear(dim, 6 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def attention(self, x: Tensor) -> Tensor:
        """Every patch reads from every patch."""
        batch, patches, dim = x.shape
        q, k, v = self.qkv(x).view(batch, patches, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(q, k, v)
        return self.proj(read.transpose(1, 2).reshape(batch, patches, dim))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """The patches after this block."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(F.silu(condition)).chunk(6, dim=-1)
        x = x + gate1[:, None] * self.attention(modulate(self.norm1(x), shift1, scale1))
        inner = F.gelu(self.fc1(modulate(self.norm2(x), shift2, scale2)), approximate="tanh")
        return x + gate2[:, None] * self.fc2(inner)


def dit_block(
    config: DiTConfig, batch: int, patches: int, *, size: int = 4, recompute: bool = True, name: str = "block"
) -> list[Operation]:
    """The operations of a block on `batch` images, when x and the condition both need gradients."""
    dim, inner, rows = config.dim, config.ratio * config.dim, batch * patches
    width = dim // config.heads
    modulation = o.linear(f"{name}.modulation", "modulation", (batch, dim, 6 * dim), size, bias=True, keeps=batch * dim)
    attend = o.attention(
        f"{name}.attend",
        "scores",
        (batch, config.heads, patches, width),
        size,
        kv_heads=config.heads,
        recompute=recompute,
    )
    return [
        o.elementwise(f"{name}.silu", "elementwise", batch * dim, size, reads=1, keeps=batch * dim),
        modulation,
        *_modulated(f"{name}.norm1", rows, batch, dim, size),
        o.linear(f"{name}.qkv", "projections", (rows, dim, 3 * dim), size, bias=True, keeps=rows * dim),
        attend,
        o.linear(f"{name}.proj", "projections", (rows, dim, dim), size, bias=True),
        # what the gate multiplies, and all that the modulation gave, since the gate is a view of it
        o.elementwise(f"{name}.add1", "elementwise", rows * dim, size, reads=2, keeps=rows * dim + 6 * batch * dim),
        *_modulated(f"{name}.norm2", rows, batch, dim, size),
        o.linear(f"{name}.fc1", "ffn", (rows, dim, inner), size, bias=True, keeps=rows * dim),
        o.elementwise(f"{name}.gelu", "elementwise", rows * inner, size, reads=1, keeps=rows * inner),
        o.linear(f"{name}.fc2", "ffn", (rows, inner, dim), size, bias=True, keeps=rows * inner),
        o.elementwise(f"{name}.add2", "elementwise", rows * dim, size, reads=2, keeps=rows * dim),
    ]


def _modulated(name: str, rows: int, batch: int, dim: int, size: int) -> list[Operation]:
    """Keeps x, a mean and a root of each row; then the normalised rows, and 1 + scale of each image."""
    return [
        o.norm(name, "norm", rows, dim, size, vectors=0, keeps=rows * dim + 2 * rows),
        o.elementwise(f"{name}.modulate", "elementwise", rows * dim, size, reads=1, keeps=rows * dim + batch * dim),
    ]
