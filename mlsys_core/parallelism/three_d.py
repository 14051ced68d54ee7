"""Data, pipeline and tensor parallelism at once: the GPT on a mesh dp × pp × tp, trained, saved and loaded at any other mesh.

Idea      The three ways do not know of each other. A layer's matrices are cut, the cut model is cut into stages, a schedule runs
          the stages on each replica's part of the batch, and the replicas sum gradients, each for its part of the optimizer's states.
Equation  g = Σ_dp n_r / n · g_r,  reduce-scattered: replica r steps Adam on the stretch [r c, (r+1) c) of its stage's and shard's
          weights laid end to end, and the new weights are all-gathered
Paper     D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using Megatron-LM", SC 2021 (all
          three); S. Rajbhandari et al., "ZeRO", SC 2020, section 5.1 (states cut between replicas).
Cost      Those of the three, see `cluster`; 2 (dp-1)/dp bytes for each byte of a rank's weights between replicas, as without ZeRO.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.parallelism.checkpoint import Layout, RankState
from mlsys_core.parallelism.collectives import all_gather_into_tensor, chunk_sizes, reduce_scatter_tensor
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.pipeline.runtime import run_schedule, split_batch
from mlsys_core.parallelism.pipeline.schedule import one_f_one_b
from mlsys_core.parallelism.pipeline.stage import own_stages
from mlsys_core.parallelism.tensor.gpt import parallelize
from mlsys_core.parallelism.tensor.layers import ColumnParallelLinear
from mlsys_core.workloads.gpt import GPT

KINDS = ("exp_avg", "exp_avg_sq")


class ThreeDTrainer:
    """One rank of a mesh that trains a GPT with Adam, by 1F1B. Every rank makes it from the same model, and steps together.

    Raises ValueError where ranks and layout do not fit, heads cannot be shared by tp, or embeddings are tied, which would put one
    weight on two stages.
    """

    def __init__(self, model: GPT, layout: Layout, comm: Communicator, microbatches: int, lr: float = 1e-3) -> None:
        if model.config.tie_embeddings and layout.pp > 1:
            raise ValueError("A tied embedding would be on two stages: untie it, or use one stage.")
        self.layout, self.rank = layout, comm.rank
        self.shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
        self.data, self.pipeline, tensor = (layout.mesh.communicator(comm, name) for name in ("dp", "pp", "tp"))
        sliced = parallelize(model, tensor)
        # the schedule's loss is of whole rows of logits
        sliced.head = ColumnParallelLinear(model.head, tensor, gather_output=True)
        self.schedule = one_f_one_b(layout.pp, microbatches)
        self.stages = own_stages(sliced, self.schedule, self.pipeline.rank)
        own = dict(self.stages[0].named_parameters())
        # in the model's order, which is that of a checkpoint's flat states
        self.weights = {name: own[name] for name in self.shapes if name in own}
        self.size = layout.shard_size(self.shapes, comm.rank)
        self.part = self._flat(list(self.weights.values()))[self._own].clone()
        self.optimizer = torch.optim.Adam([self.part], lr=lr)

    def step(self, tokens: Tensor, targets: Tensor) -> float | None:
        """One step on a whole batch (B, T) of which each replica takes its rows; this replica's share of the mean loss on the last
        stage, None on others. Shares of all replicas add up to the loss."""
        rows = chunk_sizes(len(tokens), self.data.size)
        first = sum(rows[: self.data.rank])
        mine, share = slice(first, first + rows[self.data.rank]), rows[self.data.rank] / len(tokens)
        for weight in self.weights.values():
            weight.grad = None
        batch = split_batch(tokens[mine], targets[mine], self.schedule.microbatches)
        loss = run_schedule(self.schedule, self.stages, self.pipeline, batch).loss
        gradients = [torch.zeros_like(w) if w.grad is None else w.grad * share for w in self.weights.values()]
        self.part.grad = reduce_scatter_tensor(torch.empty(self.size), self._flat(gradients), self.data)
        self.optimizer.step()
        self._spread()
        return None if loss is None else loss * share

    def state(self) -> RankState:
        """What this rank holds, for `checkpoint.save`."""
        kept = self.optimizer.state[self.part]
        moments = {kind: kept[kind].clone() if kept else torch.zeros_like(self.part) for kind in KINDS}
        weights = {name: weight.detach().clone() for name, weight in self.weights.items()}
        return RankState(weights, moments, int(kept["step"]) if kept else 0)

    def load(self, state: RankState) -> None:
        """Goes on from a state that was loaded at this trainer's layout."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(state.weights[name])
        self.part.copy_(self._flat(list(self.weights.values()))[self._own])
        moments = {kind: state.states[kind].clone() for kind in KINDS}
        self.optimizer.state[self.part] = {"step": torch.tensor(float(state.step)), **moments}

    @property
    def _own(self) -> slice:
        return slice(self.data.rank * self.size, (self.data.rank + 1) * self.size)

    def _flat(self, tensors: list[Tensor]) -> Tensor:
        """Tensors end to end, padded so that replicas have equal parts."""
        joined = torch.cat([tensor.detach().flatten() for tensor in tensors])
        return F.pad(joined, (0, self.size * self.data.size - len(joined)))

    def _spread(self) -> None:
        """Gives every replica all new weights."""
        whole = torch.empty(self.size * self.data.size)
        all_gather_into_tensor(whole, self.part, self.data)
        begin = 0
        with torch.no_grad():
            for weight in self.weights.values():
                weight.copy_(whole[begin : begin + weight.numel()].view(weight.shape))
                begin += weight.numel()
