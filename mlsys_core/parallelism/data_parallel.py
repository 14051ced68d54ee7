"""Data parallelism: every rank has the whole model and a part of the batch, and gradients are averaged while backward goes on.

Idea      Backward produces the gradients of the last layers first. They are gathered in buckets in that order; a full bucket is
          all-reduced beside the computation of the next, so that only the last one must be waited for.
Equation  g = 1/p Σ_r g_r, which is the gradient of the whole batch's mean loss where every rank has the same number of samples.
Paper     S. Li et al., "PyTorch distributed: experiences on accelerating data parallel training", VLDB 2020, sections 3 and 4.
Cost      2 (p-1)/p bytes a rank for each byte of gradients; `overlap.exposed_seconds` says how much of the time is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mlsys_core.parallelism.collectives import all_reduce, broadcast
from mlsys_core.parallelism.communication import Communicator, Work

MB = 1024 * 1024


class GradBucket:
    """Gradients of some parameters, one after the other in a flat buffer."""

    def __init__(self, index: int, parameters: Sequence[nn.Parameter]) -> None:
        self._index, self._parameters = index, list(parameters)
        self._buffer = torch.zeros(sum(p.numel() for p in parameters), dtype=parameters[0].dtype)

    def index(self) -> int:
        """0 for the bucket that is full first."""
        return self._index

    def parameters(self) -> list[nn.Parameter]:
        """In the order of the buffer."""
        return self._parameters

    def buffer(self) -> Tensor:
        """All gradients, flat: what a hook averages."""
        return self._buffer

    def set_buffer(self, buffer: Tensor) -> None:
        """Puts a tensor of the same shape in the place of the buffer."""
        self._buffer = buffer

    def gradients(self) -> list[Tensor]:
        """A view of the buffer for each parameter, in its shape."""
        parts = self._buffer.split([p.numel() for p in self._parameters])
        return [part.view(p.shape) for part, p in zip(parts, self._parameters, strict=True)]


Hook = Callable[[Any, GradBucket], Tensor]


def allreduce_hook(comm: Communicator, bucket: GradBucket) -> Tensor:
    """The mean of every rank's buffer, exactly: what happens without another hook."""
    return all_reduce(bucket.buffer().div_(comm.size), comm)


def make_buckets(parameters: Sequence[nn.Parameter], cap_bytes: float) -> list[GradBucket]:
    """Parameters, the last first, in buckets of one dtype and at most `cap_bytes` each; a larger parameter has its own."""
    runs: list[list[nn.Parameter]] = []
    size = 0
    for parameter in reversed(parameters):
        more = parameter.numel() * parameter.element_size()
        if not runs or size + more > cap_bytes or runs[-1][0].dtype != parameter.dtype:
            runs.append([])
            size = 0
        runs[-1].append(parameter)
        size += more
    return [GradBucket(index, run) for index, run in enumerate(runs)]


class DistributedDataParallel(nn.Module):
    """A module whose gradients, after `backward()`, are the mean over all ranks'.

    Parameters and buffers start as rank 0's. A tied weight is reduced once, with the sum of its gradients; a parameter that is
    frozen when the module is wrapped is left alone. Every rank must call backward equally often and in the same order.

    A parameter that gets no gradient in a step is an error, told at the end of backward, unless `find_unused_parameters` is set:
    then it counts as zero on the ranks that did not use it, and keeps its `.grad` as it is where no rank used it. A rank's loss
    must depend on at least one parameter.

    Where ranks have different numbers of samples (an uneven last batch), the mean of their mean losses is not the mean over all
    samples: multiply the loss of a rank with n_r samples by p n_r / Σ n.
    """

    def __init__(
        self,
        module: nn.Module,
        comm: Communicator,
        *,
        bucket_cap_mb: float = 25.0,
        find_unused_parameters: bool = False,
    ) -> None:
        super().__init__()
        self.module, self.comm = module, comm
        self.require_backward_grad_sync = True
        self._find_unused = find_unused_parameters
        self._hook: tuple[Any, Hook] = (comm, allreduce_hook)
        with comm.label("broadcast"):
            for tensor in [*module.parameters(), *module.buffers()]:
                broadcast(tensor, comm)
        self._names = {p: name for name, p in module.named_parameters() if p.requires_grad}
        self.buckets = make_buckets(list(self._names), bucket_cap_mb * MB)
        self._bucket_of = {p: bucket.index() for bucket in self.buckets for p in bucket.parameters()}
        self._works: list[Work] = []
        self._waited_for: list[set[nn.Parameter]] = []
        self._used: set[nn.Parameter] = set()  # since gradients were last averaged
        for parameter in self._names:
            parameter.register_post_accumulate_grad_hook(self._on_gradient)

    def forward(self, *arguments: Any, **named: Any) -> Any:
        """The module's."""
        return self.module(*arguments, **named)

    def register_comm_hook(self, state: Any, hook: Hook) -> None:
        """`hook(state, bucket)` returns what the bucket's gradients become on every rank, in place of the exact mean.

        It is called for every bucket in the same order on every rank, beside the computation.
        """
        self._hook = (state, hook)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Backward inside the block only accumulates on this rank; the next one outside averages what has come together."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def _on_gradient(self, parameter: nn.Parameter) -> None:
        self._used.add(parameter)
        if not self.require_backward_grad_sync:
            return
        if not self._waited_for:
            self._waited_for = [set(bucket.parameters()) for bucket in self.buckets]
            torch.autograd.Variable._execution_engine.queue_callback(self._on_end)  # noqa: SLF001 - as torch's FSDP does
        self._waited_for[self._bucket_of[parameter]].discard(parameter)
        self._start_full_buckets()

    def _start_full_buckets(self) -> None:
        """In the order of the buckets, which is the same on every rank, whatever the order in which they became full."""
        while len(self._works) < len(self.buckets) and not self._waited_for[len(self._works)]:
            bucket = self.buckets[len(self._works)]
            for gradient, parameter in zip(bucket.gradients(), bucket.parameters(), strict=True):
                gradient.zero_() if parameter.grad is None else gradient.copy_(parameter.grad)
            with self.comm.label(f"bucket {bucket.index()}"):
                self._works.append(self.comm.start(partial(self._average, bucket)))

    def _average(self, bucket: GradBucket) -> None:
        state, hook = self._hook
        bucket.set_buffer(hook(state, bucket))

    def _on_end(self) -> None:
        """After the last gradient of a backward: start what is left, wait, and hand the means to the parameters."""
        try:
            self._check_all_came()
            self._waited_for = [set() for _ in self.buckets]
            self._start_full_buckets()
            used = self._used_somewhere()
            for bucket, work in zip(self.buckets, self._works, strict=True):
                work.wait()
                for gradient, parameter in zip(bucket.gradients(), bucket.parameters(), strict=True):
                    if parameter in used:
                        _set_gradient(parameter, gradient)
        finally:
            self._works, self._waited_for, self._used = [], [], set()

    def _check_all_came(self) -> None:
        missing = sorted(self._names[p] for waited in self._waited_for for p in waited)
        if missing and not self._find_unused:
            raise RuntimeError(
                f"No gradient came for {', '.join(missing)} on rank {self.comm.rank}: the loss does not depend on them, and other "
                "ranks wait for their mean. Freeze them before wrapping the module, or set find_unused_parameters=True."
            )

    def _used_somewhere(self) -> set[nn.Parameter]:
        """Parameters that some rank used since gradients were last averaged."""
        if not self._find_unused:
            return self._used
        parameters = list(self._names)
        counts = torch.tensor([int(p in self._used) for p in parameters])
        with self.comm.label("used"):
            all_reduce(counts, self.comm, "doubling")
        return {p for p, count in zip(parameters, counts.tolist(), strict=True) if count}


def _set_gradient(parameter: nn.Parameter, gradient: Tensor) -> None:
    if parameter.grad is None:
        parameter.grad = gradient.clone()
    else:
        parameter.grad.copy_(gradient)
