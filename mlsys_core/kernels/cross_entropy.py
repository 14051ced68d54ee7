"""Cross-entropy with its gradient, in one pass over the storage of the logits.

Idea      The gradient of a row of logits needs the row's log-sum-exp and nothing of other rows. So the program that has just read a row
          to find it reads the row again while it is still in the cache, and writes the gradient, over the logits if that is allowed.
          Nothing else as large as the logits is ever made. The log-sum-exp is online: a running maximum m and a sum s that is
          scaled down whenever m grows, so a row may be longer than any block.
Equation  lse = m + log s,  m' = max(m, max x),  s' = s exp(m - m') + Σ exp(x - m')
          loss = lse - (1 - ε) x_t - ε mean(x),   ∂x_j = c (exp(x_j - lse) - (1 - ε) [j = t] - ε / V),  c = 1 or 1 / targets that count
Paper     M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, algorithm 3;
          C. Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7 (label smoothing).
Cost      cross_entropy_bytes: the logits twice in (once from memory, once from the cache where a row for each multiprocessor fits it) and
          their gradient once out.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import INTERPRETED, multiprocessors
from .rows import as_rows, programs_for, warps_for

LOG2E = tl.constexpr(1.4426950408889634)
EACH = 8  # logits of a lane: 16 bytes of bfloat16
TILE = 256 if INTERPRETED else 16_384  # logits that a program has in flight
BLOCK = 1024  # elements that the scaling takes at a time

Options: TypeAlias = tuple[int, float, bool]  # ignore_index, label_smoothing, mean


@triton.jit
def cross_entropy_kernel(
    x_ptr: tl.tensor, target_ptr: tl.tensor, count_ptr: tl.tensor, loss_ptr: tl.tensor, grad_ptr: tl.tensor, rows: tl.tensor, width: tl.tensor, x_stride: tl.tensor, grad_stride: tl.tensor, ignored: tl.tensor, smoothing: tl.tensor,
    GRAD: tl.constexpr, SMOOTH: tl.constexpr, MEAN: tl.constexpr, LANES: tl.constexpr, EACH: tl.constexpr,
) -> None:  # fmt: skip
    """A program takes rows p, p + P, …; a tile is LANES × EACH logits, with a maximum and a sum a lane."""
    tile = tl.arange(0, LANES)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    unit = 1.0
    if MEAN:
        unit = 1.0 / tl.load(count_ptr).to(tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64)
        logits, target = x_ptr + at * x_stride, tl.load(target_ptr + at)
        counts = target != ignored
        if counts:
            top = tl.full((LANES,), float("-inf"), tl.float32)
            total = tl.zeros((LANES,), tl.float32)
            plain = tl.zeros((LANES,), tl.float32)
            for start in range(0, width, LANES * EACH):
                x = tl.load(logits + start + tile, start + tile < width, other=float("-inf"), eviction_policy="evict_last")
                x = x.to(tl.float32) * LOG2E
                higher = tl.maximum(top, tl.max(x, 1))
                base = tl.where(higher == float("-inf"), 0.0, higher)
                total = total * tl.exp2(top - base) + tl.sum(tl.exp2(x - base[:, None]), 1)
                top = higher
                if SMOOTH:
                    plain += tl.sum(tl.where(start + tile < width, x, 0.0), 1)
            most = tl.max(top, 0)
            lse = most + tl.log2(tl.sum(total * tl.exp2(top - most), 0))
            loss = lse - (1.0 - smoothing) * tl.load(logits + target).to(tl.float32) * LOG2E
            if SMOOTH:
                loss -= smoothing / width * tl.sum(plain, 0)
            tl.store(loss_ptr + at, loss / LOG2E)
            if GRAD:
                for start in range(0, width, LANES * EACH):
                    inside = start + tile < width
                    x = tl.load(logits + start + tile, inside, other=float("-inf"), eviction_policy="evict_first")
                    slope = tl.exp2(x.to(tl.float32) * LOG2E - lse) - tl.where(start + tile == target, 1.0 - smoothing, 0.0)
                    if SMOOTH:
                        slope -= smoothing / width
                    tl.store(grad_ptr + at * grad_stride + start + tile, (slope * unit).to(grad_ptr.dtype.element_ty), inside)
        else:
            tl.store(loss_ptr + at, 0.0)
            if GRAD:
                for start in range(0, width, LANES * EACH):
                    zero = tl.zeros((LANES, EACH), grad_ptr.dtype.element_ty)
                    tl.store(grad_ptr + at * grad_stride + start + tile, zero, start + tile < width)


@triton.jit
def scale_kernel(x_ptr: tl.tensor, factor_ptr: tl.tensor, size: tl.tensor, BLOCK: tl.constexpr) -> None:
    """x *= factor, where a factor of 1 costs the reading of it and nothing else: what to do need not be known on the host."""
    factor = tl.load(factor_ptr).to(tl.float32)
    if factor != 1.0:
        for block in range(tl.program_id(0), tl.cdiv(size, BLOCK), tl.num_programs(0)):
            lane = tl.cast(block, tl.int64) * BLOCK + tl.arange(0, BLOCK)
            x = tl.load(x_ptr + lane, lane < size, other=0.0).to(tl.float32)
            tl.store(x_ptr + lane, (x * factor).to(x_ptr.dtype.element_ty), lane < size)


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    in_place: bool = False,
) -> Tensor:
    """Cross-entropy in nats of targets (...) under logits (..., V): a float32 scalar, by torch's definitions of the options.

    The gradient is made with the loss; `in_place` writes it over the logits, which hold no logits afterwards. Backward may run once.
    Raises ValueError for another reduction than "mean" or "sum", shapes that do not belong together, or smoothing outside [0, 1].
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"The reduction {reduction!r} gives no single number: take mean or sum.")
    if logits.shape[:-1] != targets.shape or not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(
            f"Logits {tuple(logits.shape)}, targets {tuple(targets.shape)} and smoothing {label_smoothing}: a target for each row "
            "of logits is needed, and smoothing between 0 and 1."
        )
    wanted = torch.is_grad_enabled() and logits.requires_grad
    options = (ignore_index, label_smoothing, reduction == "mean")
    if in_place and wanted:
        return cast(Tensor, _InPlace.apply(logits, targets, *options))
    loss: Tensor = _cross_entropy(logits, targets, *options, wanted)[0]
    return loss


def cross_entropy_bytes(
    rows: int, width: int, itemsize: int, programs: int, *, ignored: int = 0, grad: bool = True, mean: bool = True
) -> int:
    """Bytes that one call loads and stores, `ignored` of the rows not counting; targets have 8 bytes, losses 4."""
    once = (rows - ignored) * (width + 1) * itemsize + 12 * rows + (8 * programs if mean else 0)
    return once + ((2 * rows - ignored) * width * itemsize if grad else 0)


def cross_entropy_rows(logits: Tensor, targets: Tensor, count: Tensor, grad: Tensor | None, options: Options) -> Tensor:
    """The kernel on logits (N, V), dense rows: the loss of each row, and its gradient / count (a sum: undivided) into `grad`."""
    ignore_index, smoothing, mean = options
    rows, width = logits.shape
    losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
    tile = min(TILE, triton.next_power_of_2(max(width, EACH)))
    target = logits if grad is None else grad
    if logits.numel():
        cross_entropy_kernel[(programs_for(targets[:, None]),)](
            logits, targets, count, losses, target, rows, width, logits.stride(0), target.stride(0), ignore_index, smoothing,
            GRAD=grad is not None, SMOOTH=smoothing > 0, MEAN=mean, LANES=tile // EACH, EACH=EACH, num_warps=warps_for(tile),
        )  # fmt: skip
    return losses


def total(losses: Tensor, count: Tensor, mean: bool) -> Tensor:  # noqa: FBT001
    """The sum of the losses, over the number of targets that count if the mean is wanted: no target gives NaN, as in torch."""
    return losses.sum() / count if mean else losses.sum()


@torch.library.custom_op("mlsys::cross_entropy", mutates_args=())
def _cross_entropy(
    logits: Tensor, targets: Tensor, ignore_index: int, smoothing: float, mean: bool, with_grad: bool  # noqa: FBT001
) -> tuple[Tensor, Tensor]:
    flat, wanted = as_rows(logits), targets.reshape(-1)
    grad = torch.empty(logits.shape if with_grad else 0, dtype=logits.dtype, device=logits.device)
    count = (wanted != ignore_index).sum()
    into = grad.view(flat.shape) if with_grad else None
    losses = cross_entropy_rows(flat, wanted, count, into, (ignore_index, smoothing, mean))
    return total(losses, count, mean), grad


@_cross_entropy.register_fake
def _(
    logits: Tensor,
    targets: Tensor,  # noqa: ARG001
    ignore_index: int,  # noqa: ARG001
    smoothing: float,  # noqa: ARG001
    mean: bool,  # noqa: ARG001, FBT001
    with_grad: bool,  # noqa: FBT001
) -> tuple[Tensor, Tensor]:
    grad = torch.empty(logits.shape if with_grad else 0, dtype=logits.dtype, device=logits.device)
    return torch.empty((), dtype=torch.float32, device=logits.device), grad


@torch.library.custom_op("mlsys::cross_entropy_", mutates_args=("logits",))
def _cross_entropy_(logits: Tensor, targets: Tensor, ignore_index: int, smoothing: float, mean: bool) -> Tensor:  # noqa: FBT001
    if not logits.is_contiguous():
        raise ValueError("The gradient can be written over dense logits only: take in_place=False, or logits.contiguous().")
    flat, wanted = as_rows(logits), targets.reshape(-1)
    count = (wanted != ignore_index).sum()
    return total(cross_entropy_rows(flat, wanted, count, flat, (ignore_index, smoothing, mean)), count, mean)


@_cross_entropy_.register_fake
def _(logits: Tensor, targets: Tensor, ignore_index: int, smoothing: float, mean: bool) -> Tensor:  # noqa: ARG001, FBT001
    return torch.empty((), dtype=torch.float32, device=logits.device)


@torch.library.custom_op("mlsys::scale_", mutates_args=("x",))
def scale_(x: Tensor, factor: Tensor) -> None:
    """Multiplies dense x by a scalar on the device; by 1 for nothing."""
    if x.numel():
        blocks = triton.cdiv(x.numel(), BLOCK)
        scale_kernel[(min(blocks, 8 * multiprocessors(x.device)),)](x, factor, x.numel(), BLOCK=BLOCK)


def _scaled(grad: Tensor, factor: Tensor) -> Tensor:
    """The gradient times what came from above, over itself; a graph that is being traced may not change what it keeps, so there a product."""
    if torch.compiler.is_compiling() or type(grad) is not Tensor:
        return grad * factor
    scale_(grad, factor)
    return grad


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ARG001
    ctx.save_for_backward(output[1])


def _slope(ctx: Any, factor: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    return _scaled(*ctx.saved_tensors, factor), None, None, None, None, None


_cross_entropy.register_autograd(_slope, setup_context=_keep)


class _InPlace(torch.autograd.Function):
    """The operator that writes the gradient over the logits, which torch's registered formulas do not cover."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, *options: Any) -> Tensor:
        grad = logits.detach()  # shares the logits' version, so whoever else kept them is told that they are gone
        loss = _cross_entropy_(grad, targets, *options)
        ctx.save_for_backward(grad)
        return cast(Tensor, loss)

    @staticmethod
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return _scaled(*ctx.saved_tensors, factor), None, None, None, None
