"""PowerSGD: a gradient matrix is sent as the product of two thin ones, found by one step of power iteration a training step.

Idea      Gradients of a layer are nearly of low rank, and change slowly, so last step's factor is a good start for this step's.
          The two thin factors can be averaged by all-reduce as they are, which top-k's pieces cannot.
Equation  P = orth(mean_w M_w Q);  Q = mean_w M_wᵀ P;  M̂ = P Qᵀ, the mean's projection on the columns of P; e_w = M_w - P (M_wᵀ P)ᵀ.
Paper     T. Vogels, S. P. Karimireddy, M. Jaggi, "PowerSGD: practical low-rank gradient compression for distributed
          optimization", NeurIPS 2019, algorithms 1 and 2.
Cost      r (n + m) numbers for a matrix (n, m) in place of n m; 4 r n m FLOPs and an orthogonalisation, n r².
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlsys_core.parallelism.collectives import all_reduce
from mlsys_core.parallelism.communication import Communicator
from mlsys_core.parallelism.compression.error_feedback import ErrorFeedback
from mlsys_core.parallelism.data_parallel import GradBucket, allreduce_hook


@dataclass
class PowerSGDState:
    """What a rank remembers between steps, and its options, by torch's names.

    matrix_approximation_rank      r
    start_powerSGD_iter            steps that are averaged exactly first
    min_compression_rate           a matrix is compressed where its factors are more than so many times smaller
    use_error_feedback             off shows what is lost
    warm_start                     off draws Q anew in each step, from `random_seed`, alike on every rank
    """

    comm: Communicator
    matrix_approximation_rank: int = 1
    start_powerSGD_iter: int = 0  # noqa: N815 - torch's name
    min_compression_rate: float = 2.0
    use_error_feedback: bool = True
    warm_start: bool = True
    random_seed: int = 0
    feedback: ErrorFeedback = field(default_factory=ErrorFeedback)
    steps: dict[int, int] = field(default_factory=dict)
    factors: dict[int, list[Tensor]] = field(default_factory=dict)

    def is_compressed(self, shape: Sequence[int]) -> bool:
        """Whether a gradient of this shape is sent as two factors."""
        if len(shape) < 2:
            return False
        rows, columns = _matrix(shape)
        return (rows + columns) * self._rank(shape) * self.min_compression_rate < rows * columns

    def start(self, bucket: GradBucket) -> list[Tensor]:
        """Q (columns, r) of each compressed gradient of a bucket: last step's, or random."""
        index = bucket.index()
        if index not in self.factors or not self.warm_start:
            seed = self.random_seed + 1_000_003 * index + 7919 * self.steps[index]
            draws = torch.Generator().manual_seed(seed)
            shapes = [p.shape for p in bucket.parameters() if self.is_compressed(p.shape)]
            self.factors[index] = [
                torch.randn(_matrix(s)[1], self._rank(s), generator=draws, dtype=bucket.buffer().dtype) for s in shapes
            ]
        return self.factors[index]

    def _rank(self, shape: Sequence[int]) -> int:
        return min(self.matrix_approximation_rank, *_matrix(shape))


def powersgd_hook(state: PowerSGDState, bucket: GradBucket) -> Tensor:
    """The mean of every rank's gradients, matrices of low rank; for `register_comm_hook`."""
    index = bucket.index()
    state.steps[index] = state.steps.get(index, 0) + 1
    if state.steps[index] <= state.start_powerSGD_iter:
        return allreduce_hook(state.comm, bucket)
    wanted = state.feedback.add_to(index, bucket.buffer())
    sent, mean = wanted.clone(), wanted.clone()
    matrices, _ = _parts(wanted, bucket, state)
    own, _ = _parts(sent, bucket, state)
    means, others = _parts(mean, bucket, state)
    _average(others, state.comm)
    columns = _average([m @ q for m, q in zip(matrices, state.start(bucket), strict=True)], state.comm)
    columns = [torch.linalg.qr(p).Q for p in columns]
    rows = [m.t() @ p for m, p in zip(matrices, columns, strict=True)]
    _multiply(columns, rows, own)
    state.factors[index] = _average(rows, state.comm)
    _multiply(columns, state.factors[index], means)
    if state.use_error_feedback:
        state.feedback.keep(index, wanted, sent)
    return mean


def powersgd_numbers(shapes: Sequence[Sequence[int]], state: PowerSGDState) -> list[int]:
    """Lengths of the three all-reduces of a bucket: what is not compressed, all P, all Q."""
    thin = [shape for shape in shapes if state.is_compressed(shape)]
    rank = state.matrix_approximation_rank
    return [
        sum(torch.Size(shape).numel() for shape in shapes if not state.is_compressed(shape)),
        sum(_matrix(shape)[0] * min(rank, *_matrix(shape)) for shape in thin),
        sum(_matrix(shape)[1] * min(rank, *_matrix(shape)) for shape in thin),
    ]


def powersgd_factor(shapes: Sequence[Sequence[int]], state: PowerSGDState) -> float:
    """How many times fewer numbers are averaged than there are."""
    return float(sum(torch.Size(shape).numel() for shape in shapes)) / sum(powersgd_numbers(shapes, state))


def _matrix(shape: Sequence[int]) -> tuple[int, int]:
    """The first axis, and all others as one: a kernel (out, in, h, w) is a matrix (out, in h w)."""
    return shape[0], torch.Size(shape[1:]).numel()


def _parts(flat: Tensor, bucket: GradBucket, state: PowerSGDState) -> tuple[list[Tensor], list[Tensor]]:
    """Views of a bucket's flat tensor: its matrices that are compressed, and all else."""
    pieces = flat.split([p.numel() for p in bucket.parameters()])
    thin, rest = [], []
    for piece, parameter in zip(pieces, bucket.parameters(), strict=True):
        if state.is_compressed(parameter.shape):
            thin.append(piece.view(_matrix(parameter.shape)))
        else:
            rest.append(piece)
    return thin, rest


def _multiply(columns: list[Tensor], rows: list[Tensor], into: list[Tensor]) -> None:
    """P Qᵀ of each matrix."""
    for p, q, product in zip(columns, rows, into, strict=True):
        product.copy_(p @ q.t())


def _average(tensors: list[Tensor], comm: Communicator) -> list[Tensor]:
    """In place, all of them in one all-reduce."""
    if tensors:
        flat = all_reduce(torch.cat([tensor.reshape(-1) for tensor in tensors]), comm).div_(comm.size)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))
    return tensors
