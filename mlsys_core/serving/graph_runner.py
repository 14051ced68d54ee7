"""Steps without a prompt are recorded once and replayed: hundreds of launches become one.

Idea      A small step is some hundred kernels of a few microseconds each, and launching them from Python takes longer than they do. A CUDA
          graph is a recording of the launches with their addresses; it is replayed with new contents at the same addresses. A recording
          has a fixed batch, so a batch is filled up to the next size that was recorded; the filling reads and writes a block of its own.
Equation  size(b) = min {s recorded : s ≥ b}
Paper     W. Kwon et al., "PagedAttention", SOSP 2023, has the batch; NVIDIA, "CUDA C++ programming guide", chapter on CUDA graphs.
Cost      A launch for a step instead of about 10 a layer; some seconds and some memory for each size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mlsys_core.serving.attention import Layout, PagedAttention
from mlsys_core.serving.blocks import BlockManager
from mlsys_core.serving.cache import PagedCache
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.decode_step import DecodeStep
from mlsys_core.serving.runner import Runner
from mlsys_core.serving.scheduler import Batch, Work
from mlsys_core.workloads.gpt import GPT


def runner_for(model: GPT, config: EngineConfig, attention: PagedAttention | None = None) -> Runner:
    """A runner with the memory that a configuration asks for, where the model is."""
    weight = model.head.weight
    cache = PagedCache(
        model.config,
        config.blocks,
        config.block_size,
        swap_blocks=config.swap_blocks,
        dtype=weight.dtype,
        device=weight.device,
    )
    if config.decode_sizes:
        return GraphRunner(model, cache, attention, sizes=config.decode_sizes, compiled=config.compiled)
    return Runner(model, cache, attention)


class GraphRunner(Runner):
    """A runner whose steps of one token a sequence have one of `sizes`. On a CPU there is nothing to record, and all else is the same."""

    def __init__(
        self,
        model: GPT,
        cache: PagedCache,
        attention: PagedAttention | None = None,
        *,
        sizes: Sequence[int] = (1, 4, 16, 64),
        compiled: bool = False,
    ) -> None:
        super().__init__(model, cache, attention)
        self.decode = DecodeStep(model, cache, self.attention, compiled=compiled)
        width = -(-model.config.context // cache.block_size)
        self.steps = {size: FixedStep(self.decode, size, width) for size in sorted(sizes)}

    @torch.inference_mode()
    def run(self, batch: Batch, blocks: BlockManager) -> dict[int, Tensor]:
        """As `Runner.run`; by a recorded step where every sequence has one token and the batch is not larger than the largest."""
        size = next((size for size in self.steps if size >= len(batch.works)), None)
        if size is None or not batch.works or any(work.count > 1 for work in batch.works):
            by_sequence: dict[int, Tensor] = super().run(batch, blocks)
            return by_sequence
        self.cache.move(batch)
        logits = self.steps[size](batch.works, blocks)
        return {w.sequence.id: row for w, row in zip(batch.works, logits, strict=False) if w.draws}


class FixedStep:
    """A step of `size` sequences with tables of `width` blocks, whose inputs always lie in the same place."""

    def __init__(self, step: DecodeStep, size: int, width: int) -> None:
        self.step, self.width = step, width
        device, spare = step.cache.device, step.cache.spare
        # A row that nobody uses: it stands at the first place of the spare block, and its table names nothing else.
        self._idle = [0, 0, spare * step.cache.block_size, 1] + [spare] * width
        self._rows = torch.tensor([self._idle] * size, device=device)
        self.tokens = self._rows[:, 0].clone()
        self.layout = Layout(
            positions=self._rows[:, 1].clone(),
            slots=self._rows[:, 2].clone(),
            tables=self._rows[:, 4:].int(),
            contexts=self._rows[:, 3].int(),
            starts=torch.arange(size + 1, dtype=torch.int32, device=device),
            decodes=size,
        )
        self._logits: Tensor | None = None
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, works: Sequence[Work], blocks: BlockManager) -> Tensor:
        """Logits (size, vocabulary); those of works come first. They are overwritten by the next call."""
        rows = [self._row(work, blocks) for work in works]
        rows += [self._idle] * (len(self.tokens) - len(rows))
        self._rows.copy_(torch.tensor(rows))
        layout = self.layout
        for target, column in zip(
            (self.tokens, layout.positions, layout.slots, layout.contexts), range(4), strict=True
        ):
            target.copy_(self._rows[:, column])
        layout.tables.copy_(self._rows[:, 4:])
        return self.replay()

    def replay(self) -> Tensor:
        """The step with the inputs that are there."""
        if self._rows.device.type != "cuda":
            return self.step(self.tokens, self.layout)
        if self._graph is None:
            self._record()
        assert self._graph is not None
        assert self._logits is not None
        self._graph.replay()
        return self._logits

    def _row(self, work: Work, blocks: BlockManager) -> list[int]:
        """What a sequence is to the step: token, position, slot, context, table."""
        table = blocks.tables[work.sequence.id].blocks
        slot = blocks.slots(work.sequence.id, work.start, work.start + 1)[0]
        tail = [self.step.cache.spare] * (self.width - len(table))
        return [work.sequence.tokens[work.start], work.start, slot, work.start + 1, *table, *tail]

    def _record(self) -> None:
        """Runs the step twice, so that whatever is compiled or tuned is done, and records it."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self.step(self.tokens, self.layout)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = self.step(self.tokens, self.layout)
