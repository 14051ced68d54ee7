"""A layer of experts in place of one feed-forward part.

Idea      Rows are copied for each of a token's experts, put in the order of experts, computed expert by expert, weighted and added
          up where they came from. Weights grow with E, work with k.
Equation  y = Σ_{i of the k best, kept} w_i expert_i(x) + shared(x)
Paper     T. Gale et al., "MegaBlocks", arXiv 2211.15841, section 5 (rows in the order of experts, none padded);
          D. Dai et al., "DeepSeekMoE", arXiv 2401.06066, section 3 (fine-grained and shared experts).
Cost      6 d (k f + f_shared) + 2 d E FLOPs a token for experts of inner width f; see `exchange` for what is sent.
"""

from __future__ import annotations

from dataclasses import replace
from math import comb

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.moe.exchange import exchange
from mlsys_core.parallelism.moe.router import MoEConfig, Routing, TopKRouter
from mlsys_core.parallelism.tensor.regions import shares
from mlsys_core.workloads.gpt import GPTConfig, SwiGLU


class MoE(nn.Module):
    """x (B, T, dim) -> same. After a call `routing` tells what was decided, with the losses to add.

    `experts` are named by their number among all; `keep_own` leaves those of one rank.
    """

    def __init__(self, config: GPTConfig, moe: MoEConfig) -> None:
        super().__init__()
        self.moe, self.router = moe, TopKRouter(config.dim, moe)
        self.experts = nn.ModuleDict({str(e): SwiGLU(replace(config, ffn=moe.ffn)) for e in range(moe.experts)})
        self.shared = SwiGLU(replace(config, ffn=moe.shared_ffn)) if moe.shared_ffn else None
        self.comm: Communicator | None = None
        self.sizes: tuple[int, ...] = (moe.experts,)
        self.routing: Routing | None = None

    def keep_own(self, comm: Communicator) -> None:
        """Keeps this rank's experts and asks the others for the rest. Raises ValueError for fewer experts than ranks."""
        self.comm, self.sizes = comm, shares(self.moe.experts, comm, "A set of experts")
        first = sum(self.sizes[: comm.rank])
        own = range(first, first + self.sizes[comm.rank])
        self.experts = nn.ModuleDict({str(e): self.experts[str(e)] for e in own})

    def forward(self, x: Tensor) -> Tensor:
        """Route, copy, compute, add up."""
        flat = x.flatten(0, -2)
        self.routing = routing = self.router(flat)
        token, choice = routing.kept.nonzero(as_tuple=True)
        expert = routing.experts[token, choice]
        order = expert.argsort(stable=True)
        token, choice, counts = token[order], choice[order], torch.bincount(expert, minlength=self.moe.experts)
        results = self._everywhere(flat[token], counts) * routing.weights[token, choice][:, None]
        y = torch.zeros_like(flat).index_add(0, token, results)
        return (y if self.shared is None else y + self.shared(flat)).view(x.shape)

    def _everywhere(self, rows: Tensor, counts: Tensor) -> Tensor:
        if self.comm is None:
            return self._here(rows, counts)
        return exchange(rows, counts, self.comm, self.sizes, self._here)

    def _here(self, rows: Tensor, counts: Tensor) -> Tensor:
        """Rows in the order of this rank's experts, each through its own."""
        parts = zip(self.experts.values(), rows.split(counts.tolist()), strict=True)
        return torch.cat([expert(part) for expert, part in parts])


def fine_grained(moe: MoEConfig, parts: int, shared: int = 0) -> MoEConfig:
    """Each expert cut into `parts` smaller ones, as many more chosen, `shared` of them for every token: same weights and work.

    Raises ValueError where the inner width cannot be cut so, or where none would be left to choose.
    """
    if moe.ffn % parts or not 0 <= shared < moe.top_k * parts:
        raise ValueError(
            f"Experts of width {moe.ffn} cannot be cut into {parts} with {shared} of {moe.top_k * parts} shared: "
            "give a divisor, and share fewer than are chosen."
        )
    width = moe.ffn // parts
    return replace(
        moe,
        experts=moe.experts * parts - shared,
        top_k=moe.top_k * parts - shared,
        ffn=width,
        shared_ffn=moe.shared_ffn + shared * width,
    )


def combinations(moe: MoEConfig) -> int:
    """In how many ways a token's experts can be chosen."""
    return comb(moe.experts, moe.top_k)


def moe_flops(tokens: int, dim: int, moe: MoEConfig) -> int:
    """FLOPs of the forward pass of `tokens` tokens of which none is dropped."""
    return tokens * (6 * dim * (moe.top_k * moe.ffn + moe.shared_ffn) + 2 * dim * moe.experts)
