"""Cross-entropy of a linear head without its logits: chunks of rows, each made, judged and used up before the next.

Idea      The logits of a language model are its largest tensor: 8192 tokens by 128256 words are 2 GB in bfloat16, and their gradient as
          much again. But each chunk of rows needs only itself. Its logits are made, the loss and the gradient written over them, and that
          is multiplied at once into the gradients of the hidden states and of the head, which are small. The backward only scales those.
Equation  L_c = H_c Wᵀ,  G_c = ∂ loss / ∂ L_c (over L_c),  ∂H_c = G_c W,  ∂W = Σ_c G_cᵀ H_c
Paper     E. Wijmans et al., "Cut your losses in large-vocabulary language models", arXiv 2411.09009 (the memory, and a version that keeps
          no chunk either); P.-L. Hsu et al., "Liger Kernel", arXiv 2410.10989, section 3.2 (chunks).
Cost      linear_cross_entropy_cost: 6 N d V operations, as the plain head's forward and backward, and the logits of one chunk at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .cross_entropy import total
from .cross_entropy_rows import cross_entropy_rows

CHUNK = 2048  # rows


class LinearCrossEntropyCost(NamedTuple):
    """FLOPs of the products, and bytes of the largest tensor of logits that exists: chunked, and as a plain head has it."""

    flops: int
    logits_bytes: int
    plain_logits_bytes: int


def linear_cross_entropy_cost(
    rows: int, width: int, vocabulary: int, itemsize: int, chunk: int = CHUNK
) -> LinearCrossEntropyCost:
    """Cost of loss and gradients of `rows` hidden states of `width`; a plain head keeps the logits and makes their gradient."""
    line = vocabulary * itemsize
    return LinearCrossEntropyCost(6 * rows * width * vocabulary, min(chunk, rows) * line, 2 * rows * line)


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    chunk: int = CHUNK,
) -> Tensor:
    """Cross-entropy in nats of targets (...) under logits hidden (..., d) @ weight (V, d)ᵀ: a float32 scalar.

    Differentiable in hidden and weight, whose gradients are made with the loss. The weight's is summed in float32 over the chunks.
    Raises ValueError for another reduction than "mean" or "sum", a chunk below 1, and shapes that do not belong together.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"The reduction {reduction!r} gives no single number: take mean or sum.")
    if chunk < 1 or hidden.shape[:-1] != targets.shape or hidden.shape[-1:] != weight.shape[1:]:
        raise ValueError(
            f"Hidden {tuple(hidden.shape)}, weight {tuple(weight.shape)}, targets {tuple(targets.shape)} in chunks of {chunk}: "
            "a target for each hidden state, a column of weight for each of its elements, and a row a chunk are needed."
        )
    grads = [torch.is_grad_enabled() and one.requires_grad for one in (hidden, weight)]
    mean = reduction == "mean"
    loss: Tensor = _fused(hidden, weight, targets, ignore_index, label_smoothing, mean, chunk, *grads)[0]
    return loss


@torch.library.custom_op("mlsys::linear_cross_entropy", mutates_args=())
def _fused(
    hidden: Tensor, weight: Tensor, targets: Tensor, ignore_index: int, smoothing: float, mean: bool, chunk: int,
    of_hidden: bool, of_weight: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    flat, wanted = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
    count = (wanted != ignore_index).sum()
    losses = torch.empty(len(wanted), dtype=torch.float32, device=hidden.device)
    hidden_grad = torch.empty(flat.shape if of_hidden else 0, dtype=hidden.dtype, device=hidden.device)
    weight_grad = torch.empty(weight.shape if of_weight else 0, dtype=torch.float32, device=hidden.device)
    for start in range(0, len(wanted), chunk):
        part = slice(start, start + chunk)
        logits = flat[part] @ weight.T
        grad = logits if of_hidden or of_weight else None
        losses[part] = cross_entropy_rows(logits, wanted[part], count, grad, (ignore_index, smoothing, mean))
        if of_hidden:
            torch.mm(logits, weight, out=hidden_grad[part])
        if of_weight:
            product = logits.T @ flat[part]
            weight_grad = weight_grad.add_(product) if start else weight_grad.copy_(product)
    if not len(wanted):
        weight_grad.zero_()
    shape = hidden.shape if of_hidden else hidden_grad.shape
    return total(losses, count, mean), hidden_grad.view(shape), weight_grad.to(weight.dtype)


@_fused.register_fake
def _(hidden: Tensor, weight: Tensor, *options: Any) -> tuple[Tensor, Tensor, Tensor]:
    of_hidden, of_weight = options[-2:]
    loss = torch.empty((), dtype=torch.float32, device=hidden.device)
    hidden_grad = torch.empty(hidden.shape if of_hidden else 0, dtype=hidden.dtype, device=hidden.device)
    return loss, hidden_grad, torch.empty(weight.shape if of_weight else 0, dtype=weight.dtype, device=weight.device)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)  # no zeros as large as the gradients, which are outputs too
    ctx.save_for_backward(*output[1:])
    ctx.wanted = inputs[-2:]


def _slope(ctx: Any, factor: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    grads = [grad * factor if wanted else None for grad, wanted in zip(ctx.saved_tensors, ctx.wanted, strict=True)]
    return *grads, *[None] * 7


_fused.register_autograd(_slope, setup_context=_keep)
