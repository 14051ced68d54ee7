"""Cross-entropy whose gradient is made with the loss, beside the logits or over them.

Idea      cross_entropy_rows finds a row's loss and gradient in one visit, so the gradient is there before anybody asks for it: the
          backward multiplies it by what comes from above, which is 1 when the loss is the end. Whether it is stands on the device, and
          the kernel looks there: for 1 it moves nothing. Written over the logits, the gradient takes no memory of its own.
Equation  ∂logits = g · ∂loss/∂logits, g from above
Paper     P.-L. Hsu et al., "Liger Kernel: efficient Triton kernels for LLM training", arXiv 2410.10989, section 3.2 (gradients over
          the logits).
Cost      cross_entropy_bytes for loss and gradient; the backward 4 bytes a program for a factor of 1, else the gradient in and out.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import triton
import triton.language as tl
from torch import Tensor

from .cross_entropy_rows import cross_entropy_rows
from .launch import multiprocessors
from .rows import as_rows

BLOCK = 1024  # elements that the scaling takes at a time


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
        return cast("Tensor", _InPlace.apply(logits, targets, *options))
    loss: Tensor = _cross_entropy(logits, targets, *options, wanted)[0]
    return loss


def total(losses: Tensor, count: Tensor, mean: bool) -> Tensor:
    """The sum of the losses, over the number of targets that count if the mean is wanted: no target gives NaN, as in torch."""
    return losses.sum() / count if mean else losses.sum()


@torch.library.custom_op("mlsys::cross_entropy", mutates_args=())
def _cross_entropy(
    logits: Tensor,
    targets: Tensor,
    ignore_index: int,
    smoothing: float,
    mean: bool,
    with_grad: bool,
) -> tuple[Tensor, Tensor]:
    flat, wanted = as_rows(logits), targets.reshape(-1)
    grad = torch.empty(logits.shape if with_grad else 0, dtype=logits.dtype, device=logits.device)
    count = (wanted != ignore_index).sum()
    into = grad.view(flat.shape) if with_grad else None
    losses = cross_entropy_rows(flat, wanted, count, into, (ignore_index, smoothing, mean))
    return total(losses, count, mean), grad


@_cross_entropy.register_fake
def _(logits: Tensor, *options: Any) -> tuple[Tensor, Tensor]:
    with_grad = options[-1]
    grad = torch.empty(logits.shape if with_grad else 0, dtype=logits.dtype, device=logits.device)
    return torch.empty((), dtype=torch.float32, device=logits.device), grad


@torch.library.custom_op("mlsys::cross_entropy_", mutates_args=("logits",))
def _cross_entropy_(logits: Tensor, targets: Tensor, ignore_index: int, smoothing: float, mean: bool) -> Tensor:
    if not logits.is_contiguous():
        raise ValueError(
            "The gradient can be written over dense logits only: take in_place=False, or logits.contiguous()."
        )
    flat, wanted = as_rows(logits), targets.reshape(-1)
    count = (wanted != ignore_index).sum()
    return total(cross_entropy_rows(flat, wanted, count, flat, (ignore_index, smoothing, mean)), count, mean)


@_cross_entropy_.register_fake
def _(logits: Tensor, *_: Any) -> Tensor:
    return torch.empty((), dtype=torch.float32, device=logits.device)


@torch.library.custom_op("mlsys::scale_", mutates_args=("x",))
def scale_(x: Tensor, factor: Tensor) -> None:
    """Multiplies dense x by a scalar on the device; by 1 for nothing."""
    if x.numel():
        blocks = triton.cdiv(x.numel(), BLOCK)
        scale_kernel[(min(blocks, 8 * multiprocessors(x.device)),)](x, factor, x.numel(), BLOCK=BLOCK)


def _scaled(grad: Tensor, factor: Tensor) -> Tensor:
    """The gradient times what came from above, over itself; a traced graph may not change what it keeps, so there a product."""
    if torch.compiler.is_compiling() or type(grad) is not Tensor:
        return grad * factor
    scale_(grad, factor)
    return grad


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:  # noqa: ARG001
    ctx.set_materialize_grads(
        False
    )  # the gradient is an output too: zeros as large for it would cost as much as the rest
    ctx.save_for_backward(output[1])


def _slope(ctx: Any, factor: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    (grad,) = ctx.saved_tensors
    return _scaled(grad, factor), None, None, None, None, None


_cross_entropy.register_autograd(_slope, setup_context=_keep)


class _InPlace(torch.autograd.Function):
    """The operator that writes the gradient over the logits, which torch's registered formulas do not cover."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, *options: Any) -> Tensor:
        grad = logits.detach()  # shares the logits' version, so whoever else kept them is told that they are gone
        loss = _cross_entropy_(grad, targets, *options)
        ctx.save_for_backward(grad)
        return cast("Tensor", loss)

    @staticmethod
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return _scaled(grad, factor), None, None, None, None
