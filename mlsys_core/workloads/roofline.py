"""The roofline: the least time that work can take on a device, and which of its three limits that is.

Idea      Work cannot be done faster than its arithmetic, than its traffic to memory, or than what it sends to others. The
          slowest of the three is the floor of its time; which one it is says what would help.
Equation  time ≥ max(FLOPs / peak, bytes / bandwidth, sent / link);   FLOP/s ≤ min(peak, intensity · bandwidth)
Paper     S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore
          architectures", CACM 52(4), 2009.
Cost      Three divisions an operation.

Operations run one after the other, so the floor of a workload is the sum of their floors. That sum is above the floor of the
summed work, where the arithmetic of one operation would hide the traffic of another, and no kernel does that across operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlsys_core.workloads.devices import Device
from mlsys_core.workloads.operations import Operation, Work

BOUNDS = ("compute", "memory", "communication")


@dataclass(frozen=True)
class Floor:
    """Least seconds for the arithmetic, the traffic and the sending of some work."""

    compute_s: float
    memory_s: float
    link_s: float

    @property
    def time_s(self) -> float:
        """The slowest of the three, as if they overlap perfectly."""
        return max(self.compute_s, self.memory_s, self.link_s)

    @property
    def bound(self) -> str:
        """`compute`, `memory` or `communication`: which of the three is the slowest."""
        return BOUNDS[(self.compute_s, self.memory_s, self.link_s).index(self.time_s)]


def floor(work: Work, device: Device, dtype: str) -> Floor:
    """The floor of some work with numbers of this type. Raises ValueError for sending where the device has no link."""
    if work.link and not device.link:
        raise ValueError(
            f"{device.name} has no link, and this work sends {work.link:g} bytes: count it for one device."
        )
    sending = work.link / device.link if work.link else 0.0
    return Floor(work.flops / device.peak(dtype), work.memory / device.bandwidth, sending)


def attainable(intensity: float, device: Device, dtype: str) -> float:
    """FLOP/s at most for work of this many FLOPs a byte: the roof."""
    return min(device.peak(dtype), intensity * device.bandwidth)


@dataclass(frozen=True)
class Profile:
    """Where the least time of a workload goes: seconds of the operations bound by each limit, and in all."""

    seconds: dict[str, float]
    flops: int

    @property
    def time_s(self) -> float:
        """Sum of the floors of all operations."""
        return sum(self.seconds.values())

    @property
    def bound(self) -> str:
        """The limit that holds operations for the largest part of the time."""
        return max(BOUNDS, key=lambda bound: self.seconds[bound])

    def share(self, bound: str) -> float:
        """The part of the time in which operations wait for this limit, 0 to 1."""
        return self.seconds[bound] / self.time_s if self.time_s else 0.0

    def utilization(self, device: Device, dtype: str) -> float:
        """FLOPs of the whole over what the device could do in that time: the highest MFU that the floors allow."""
        return self.flops / (self.time_s * device.peak(dtype)) if self.time_s else 0.0


def profile(
    operations: Iterable[Operation], device: Device, dtype: str, directions: tuple[str, ...] = ("forward", "backward")
) -> Profile:
    """The floors of all operations, one after the other, in these directions."""
    seconds = dict.fromkeys(BOUNDS, 0.0)
    flops = 0
    for operation in operations:
        for direction in directions:
            work: Work = getattr(operation, direction)
            one = floor(work, device, dtype)
            seconds[one.bound] += one.time_s
            flops += work.flops
    return Profile(seconds, flops)
