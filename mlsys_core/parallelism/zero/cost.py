"""What ZeRO saves and what it costs: bytes a rank holds, elements a rank sends, and the bytes that an engine really holds.

Idea      Mixed-precision Adam needs 16 bytes a parameter: 2 for it, 2 for its gradient, and 12 for states (a float32 copy, the mean
          and the mean square). Each stage divides one more of the three by the number of ranks N.
Equation  P_os = (4 + 12/N) Ψ,   P_os+g = (2 + 14/N) Ψ,   P_os+g+p = 16 Ψ / N bytes;   2Ψ, 2Ψ, 3Ψ elements sent, each · (N-1)/N
Paper     S. Rajbhandari et al., "ZeRO", SC 2020, section 3.1, table 1 and section 7.
Cost      None of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from torch import Tensor

from mlsys_core.parallelism.zero.engine import Zero


def memory_cost(
    parameters: int, ranks: int, stage: int, *, parameter_bytes: int = 2, gradient_bytes: int = 2, state_bytes: int = 12
) -> dict[str, Fraction]:
    """Bytes a rank holds for parameters, gradients and states in stage 0 to 3; the usual 2 + 2 + 12, or 4 + 4 + 8 in float32."""
    shard = Fraction(parameters, ranks)
    return {
        "parameters": parameter_bytes * (shard if stage >= 3 else Fraction(parameters)),
        "gradients": gradient_bytes * (shard if stage >= 2 else Fraction(parameters)),
        "states": state_bytes * (shard if stage >= 1 else Fraction(parameters)),
    }


def volume_cost(parameters: int, ranks: int, stage: int) -> Fraction:
    """Elements that a rank sends in a step: an all-gather and a reduce-scatter are (N-1)/N Ψ each, and stage 3 gathers twice."""
    return (3 if stage == 3 else 2) * Fraction(parameters * (ranks - 1), ranks)


def held_bytes(zero: Zero) -> dict[str, int]:
    """Bytes of the storages that an engine holds now for parameters, gradients and states.

    States are the float32 copy, where it is one of its own, and the optimizer's tensors; its step counters, a number a
    buffer, are left out.
    """
    groups = zero.groups
    working = [g.flat.whole for g in groups] + [g.kept for g in groups]
    gradients = [g.gradient for g in groups if g.gradient is not None]
    gradients += [p.grad for g in groups for p in g.flat.parameters.values() if p.grad is not None]
    tensors = [t for state in zero.optimizer.state.values() for t in state.values() if isinstance(t, Tensor) and t.ndim]
    masters = [g.master for g in groups if g.master is not g.kept]
    return {"parameters": _bytes(working), "gradients": _bytes(gradients), "states": _bytes(masters + tensors)}


def _bytes(tensors: Iterable[Tensor]) -> int:
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())
