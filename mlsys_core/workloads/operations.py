"""What one operation costs: the shared vocabulary in which every workload here is counted.

Idea      A workload is a list of operations. Each knows, from its shapes alone, how many floating-point operations it needs,
          how many bytes it must move, and what the backward pass will want back. Sums over the list answer the rest.
Equation  matrix product (m, k)(k, n): 2 m k n FLOPs and (m k + k n + m n) s bytes forward, twice both backward
Paper     S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009 (work and traffic as the two counts);
          M. Ivanov et al., "Data movement is all you need", MLSys 2021 (traffic of a transformer, operation by operation).
Cost      Arithmetic on a few integers an operation.

What is counted:
FLOPs     those of matrix products and convolutions, two for a multiplication and an addition, as torch's counter and the
          papers do. Normalisations and elementwise operations count none: their price is traffic.
memory    bytes that must cross the memory's bus if an operation is one kernel: each input is read once, each output written
          once, and nothing stays in cache between operations.
link      bytes that one device sends to the others.
saved     bytes that torch's autograd keeps from the forward pass for the backward one, on a CPU. A tensor that several
          operations keep is counted at the first of them; parameters and buffers are not counted, since they are there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# indices are 64-bit integers
INDEX = 8


@dataclass(frozen=True)
class Work:
    """FLOPs, bytes through the memory's bus, and bytes sent over the link."""

    flops: int = 0
    memory: int = 0
    link: float = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.memory + other.memory, self.link + other.link)

    def __mul__(self, times: int) -> Work:
        return Work(self.flops * times, self.memory * times, self.link * times)

    @property
    def intensity(self) -> float:
        """FLOPs a byte of memory traffic; infinite without traffic."""
        return self.flops / self.memory if self.memory else float("inf")


@dataclass(frozen=True)
class Operation:
    """An operation of a workload: its work in both directions, its parameters (a count), what it keeps (bytes)."""

    name: str
    part: str
    forward: Work
    backward: Work = Work()
    parameters: int = 0
    saved: int = 0

    @property
    def step(self) -> Work:
        """Forward and backward."""
        return self.forward + self.backward


def total(operations: Iterable[Operation], direction: str = "step") -> Work:
    """The work of all of them: `forward`, `backward`, or `step` for both."""
    work = Work()
    for operation in operations:
        work += getattr(operation, direction)
    return work


def by_part(operations: Iterable[Operation], direction: str = "step") -> dict[str, Work]:
    """The work of each part, in the order in which parts appear."""
    parts: dict[str, Work] = {}
    for operation in operations:
        parts[operation.part] = parts.get(operation.part, Work()) + getattr(operation, direction)
    return parts


def parameters(operations: Iterable[Operation]) -> int:
    """Number of parameters of all of them."""
    return sum(operation.parameters for operation in operations)


def saved(operations: Iterable[Operation]) -> int:
    """Bytes kept for the backward pass by all of them."""
    return sum(operation.saved for operation in operations)


def linear(
    name: str,
    part: str,
    shape: tuple[int, int, int],
    size: int,
    *,
    bias: bool = False,
    keeps: int = 0,
    input_gradient: bool = True,
    shared: bool = False,
) -> Operation:
    """A product of (rows, inputs) and a weight (outputs, inputs): `shape` is rows, inputs, outputs, with elements of `size` bytes.

    `keeps` counts the elements it is the first to keep. The first layer of a network needs no `input_gradient`. A `shared`
    weight is another operation's parameter.
    """
    rows, inputs, outputs = shape
    flops = 2 * rows * inputs * outputs
    moved = (rows * inputs + inputs * outputs + rows * outputs) * size
    added = outputs * size if bias else 0
    backward = 2 if input_gradient else 1
    # the gradient of a bias reads the cotangent once more
    summed = rows * outputs * size + added if bias else 0
    return Operation(
        name,
        part,
        Work(flops, moved + added),
        Work(backward * flops, backward * moved + summed),
        0 if shared else inputs * outputs + (outputs if bias else 0),
        keeps * size,
    )


def attention(
    name: str, part: str, shape: tuple[int, int, int, int], size: int, *, kv_heads: int, recompute: bool
) -> Operation:
    """softmax(q kᵀ) v over whole squares of scores, in one kernel that keeps no scores: `shape` (B, H, T, D) is that of q.

    A causal kernel may skip half of the square; torch's counter counts the whole, and so do we. With `recompute` the
    backward pass makes the scores again (FlashAttention): five products for the two of the forward pass, else four.
    """
    batch, heads, time, width = shape
    product = 2 * batch * heads * time * time * width
    query, key = batch * heads * time * width * size, batch * kv_heads * time * width * size
    sums = batch * heads * time * size
    return Operation(
        name,
        part,
        Work(2 * product, 2 * query + 2 * key + sums),
        Work((5 if recompute else 4) * product, 4 * query + 4 * key + sums),
        saved=2 * query + 2 * key + sums,
    )


def elementwise(
    name: str, part: str, elements: int, size: int, *, reads: int, writes: int = 1, keeps: int = 0
) -> Operation:
    """A function of `reads` arrays of this many elements to `writes` such arrays, in one kernel.

    Backward it reads the output's cotangent and what it kept, and writes a cotangent for each input.
    """
    kept = keeps * size
    back = (writes + reads) * elements * size + kept
    return Operation(name, part, Work(0, (reads + writes) * elements * size), Work(0, back), saved=kept)


def norm(name: str, part: str, rows: int, width: int, size: int, *, vectors: int, keeps: int) -> Operation:
    """A normalisation of rows with `vectors` learned vectors; backward reads the input and the cotangent."""
    one, learned = rows * width * size, vectors * width * size
    return Operation(
        name, part, Work(0, 2 * one + learned), Work(0, 3 * one + 2 * learned), vectors * width, keeps * size
    )


def all_reduce(name: str, elements: int, size: int, devices: int) -> Operation:
    """A ring's sum of gradients over the devices, in the backward pass: 2 (p-1)/p of the bytes sent by each."""
    return Operation(name, "exchange", Work(), Work(link=2 * (devices - 1) / devices * elements * size))


def all_to_all(name: str, elements: int, size: int, devices: int) -> Operation:
    """Each device sends all but its own p-th of `elements`, forward, and of their cotangents, backward."""
    sent = Work(link=(devices - 1) / devices * elements * size)
    return Operation(name, "exchange", sent, sent)
