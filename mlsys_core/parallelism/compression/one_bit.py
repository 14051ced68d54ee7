"""1-bit Adam: after a warm-up, the variance stays as it is, and only the momentum travels, a bit an element.

Idea      Adam's step is not linear in the gradient, so error feedback does not work for it as a whole. Its variance settles early:
          frozen, what is left is momentum SGD with a rate for each weight, and that is linear.
Equation  m_r = β₁ m + (1-β₁) g_r;   m = C(mean_r C(m_r + e_r) + ē);   x ← x - γ m / √v_warm;   C(x) = mean|x| sign(x) by blocks.
Paper     H. Tang et al., "1-bit Adam: communication efficient large-scale training with Adam's convergence speed", ICML 2021,
          algorithm 1; the mean magnitude as scale is Karimireddy et al.'s, ICML 2019.
Cost      ceil(c/8) + 4 ceil(c/b) bytes for c elements in blocks of b, (p-1)/p of it twice: an all-to-all to the rank that averages
          a chunk, and an all-gather of the averages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from mlsys_core.parallelism.collectives import all_gather, all_reduce, all_to_all_single, chunk_sizes
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.compression.error_feedback import ErrorFeedback

SCALE = torch.float32
BITS = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)
WORKER, SERVER = 0, 1  # whose error is fed back


def compress(x: Tensor, block: int) -> Tensor:
    """x (n,) -> bytes, uint8: a float32 scale for each block of so many elements, then a bit an element, 1 where it is not below 0."""
    blocks = pad(x, (0, -len(x) % block)).view(-1, block)
    counts = torch.tensor(block_sizes(len(x), block), dtype=x.dtype)
    scales = (blocks.abs().sum(1) / counts).to(SCALE)
    bits = pad((x >= 0).to(torch.uint8), (0, -len(x) % 8)).view(-1, 8)
    return torch.cat((scales.view(torch.uint8), (bits * BITS).sum(1, dtype=torch.uint8)))


def decompress(payload: Tensor, n: int, block: int, dtype: torch.dtype) -> Tensor:
    """The n elements that `compress` has sent: plus or minus the scale of their block."""
    counts = block_sizes(n, block)
    scales = payload[: 4 * len(counts)].clone().view(SCALE).to(dtype)
    bits = payload[4 * len(counts) :].unsqueeze(1).bitwise_and(BITS).ne(0).flatten()[:n]
    return torch.where(bits, 1.0, -1.0).to(dtype) * scales.repeat_interleave(torch.tensor(counts, dtype=torch.int64))


def payload_bytes(n: int, block: int) -> int:
    """How many bytes n elements are when compressed."""
    return 4 * -(-n // block) + -(-n // 8)


def one_bit_sent(p: int, n: int, rank: int, block: int) -> int:
    """Bytes that a rank sends to average n elements."""
    payloads = [payload_bytes(size, block) for size in chunk_sizes(n, p)]
    return 2 * sum(payloads) - payloads[rank] - payloads[(rank + 1) % p]


def volume_ratio(warmup: float, bits: float = 1.0, full_bits: float = 32.0) -> float:
    """Bytes of a training whose share `warmup` sends all bits, in those of one that always does."""
    return warmup + (1 - warmup) * bits / full_bits


def block_sizes(n: int, block: int) -> list[int]:
    """Elements of each block: all full, and the rest."""
    return [block] * (n // block) + [n % block] * (n % block > 0)


class OneBitMean:
    """The mean of every rank's tensor, a bit an element each way, with error feedback at both ends."""

    def __init__(self, comm: Communicator, block: int = 256) -> None:
        self.comm, self.block = comm, block
        self.feedback = ErrorFeedback()

    def __call__(self, x: Tensor) -> Tensor:
        """x (n,) -> what every rank takes for the mean, the same bits on all."""
        sizes = chunk_sizes(len(x), self.comm.size)
        wanted = self.feedback.add_to(WORKER, x)
        payloads = [compress(chunk, self.block) for chunk in wanted.split(sizes)]
        self.feedback.keep(WORKER, wanted, self._joined(payloads, sizes, x.dtype))
        return self._joined(self._from_servers(self._to_servers(payloads, sizes, x.dtype), sizes), sizes, x.dtype)

    def _to_servers(self, payloads: list[Tensor], sizes: list[int], dtype: torch.dtype) -> Tensor:
        """Chunk r of every rank goes to rank r; returns the mean of this rank's."""
        size = sizes[self.comm.rank]
        each = len(payloads[self.comm.rank])
        come = payloads[0].new_empty(self.comm.size * each)
        all_to_all_single(come, torch.cat(payloads), self.comm, [each] * self.comm.size, [len(p) for p in payloads])
        chunks = [decompress(payload, size, self.block, dtype) for payload in come.view(self.comm.size, each)]
        return torch.stack(chunks).sum(0) / self.comm.size

    def _from_servers(self, mean: Tensor, sizes: list[int]) -> list[Tensor]:
        """Every rank gets every chunk's mean, compressed once more."""
        wanted = self.feedback.add_to(SERVER, mean)
        payload = compress(wanted, self.block)
        self.feedback.keep(SERVER, wanted, decompress(payload, len(mean), self.block, mean.dtype))
        payloads = [payload.new_empty(payload_bytes(size, self.block)) for size in sizes]
        all_gather(payloads, payload, self.comm)
        return payloads

    def _joined(self, payloads: list[Tensor], sizes: list[int], dtype: torch.dtype) -> Tensor:
        parts = zip(payloads, sizes, strict=True)
        return torch.cat([decompress(payload, size, self.block, dtype) for payload, size in parts])


class OneBitAdam(torch.optim.Optimizer):
    """Adam on each rank's own gradients: it averages them itself, so the model is not wrapped.

    For `warmup_steps` it is Adam on the exact mean. After that the variance is frozen and momentum is sent a bit an element. A
    weight whose gradient was zero all through the warm-up has no variance to divide by, and stays as it is.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        comm: Communicator,
        *,
        warmup_steps: int,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        block: int = 256,
    ) -> None:
        if warmup_steps < 1:
            raise ValueError(
                "The variance needs at least one step before it can be frozen: give warmup_steps of 1 or more."
            )
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})
        if len(self.param_groups) != 1:
            raise ValueError("All parameters are sent as one vector: give them in one group.")
        self.comm, self.warmup_steps, self.steps = comm, warmup_steps, 0
        self.one_bit_mean = OneBitMean(comm, block)
        with torch.no_grad():
            zeros = torch.zeros_like(parameters_to_vector(self.param_groups[0]["params"]))
        self.momentum, self.variance = zeros, zeros.clone()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; every parameter has a gradient. Returns the closure's value."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        group = self.param_groups[0]
        self.steps += 1
        self._average(parameters_to_vector([p.grad for p in group["params"]]), *group["betas"])
        settled = min(self.steps, self.warmup_steps)
        momentum = self.momentum / (1 - group["betas"][0] ** self.steps)
        deviation = (self.variance / (1 - group["betas"][1] ** settled)).sqrt()
        change = torch.where(deviation > 0, momentum / (deviation + group["eps"]), 0.0)
        vector_to_parameters(parameters_to_vector(group["params"]) - group["lr"] * change, group["params"])
        return loss

    def _average(self, gradient: Tensor, beta1: float, beta2: float) -> None:
        if self.steps <= self.warmup_steps:
            mean = all_reduce(gradient, self.comm).div_(self.comm.size)
            self.momentum = beta1 * self.momentum + (1 - beta1) * mean
            self.variance = beta2 * self.variance + (1 - beta2) * mean.square()
        else:
            self.momentum = self.one_bit_mean(beta1 * self.momentum + (1 - beta1) * gradient)
