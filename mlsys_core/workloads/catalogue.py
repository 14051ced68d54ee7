"""Five workloads of well-known sizes, side by side: what their devices wait for.

Idea      Compute, memory and communication bound are not properties of a field ("vision", "language") but of shapes: the same
          GPT computes while it trains and waits for memory while it writes one token.
Equation  share(bound) = Σ floors of the operations with that bound / Σ floors of all
Paper     Sizes: T. Brown et al., "GPT-3", NeurIPS 2020, table 2.1 (1.3B: width 2048, 24 layers); W. Peebles, S. Xie, ICCV 2023,
          table 1 (DiT-XL/2); K. He et al., CVPR 2016, table 1 (ResNet-50); M. Naumov et al., arXiv 1906.00091 (DLRM).
Cost      Counting only; nothing of these sizes is ever allocated.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlsys_core.workloads import accounting
from mlsys_core.workloads.devices import SIZES, Device
from mlsys_core.workloads.dit import DiTConfig, dit_block
from mlsys_core.workloads.dlrm import DLRMConfig, embeddings
from mlsys_core.workloads.gpt import GPTConfig
from mlsys_core.workloads.operations import Operation
from mlsys_core.workloads.resnet import RESNET50, stage
from mlsys_core.workloads.roofline import Profile, profile

# as wide and deep as GPT-3 1.3B, with SwiGLU of two thirds of its inner width, which has as many parameters
GPT_1B = GPTConfig(50_257, 2048, dim=2048, layers=24, heads=16, kv_heads=16, ffn=5461)
TABLES = DLRMConfig(tables=32)
DEVICES_OF_TABLES = 8
BOTH, FORWARD = ("forward", "backward"), ("forward",)


@dataclass(frozen=True)
class Workload:
    """A name, its operations with elements of one size, and the directions that are run."""

    name: str
    operations: list[Operation]
    directions: tuple[str, ...]

    def on(self, device: Device, dtype: str) -> Profile:
        """Where its least time goes on this device."""
        return profile(self.operations, device, dtype, self.directions)


def catalogue(size: int, devices: int = DEVICES_OF_TABLES) -> list[Workload]:
    """The workloads with elements of `size` bytes; the tables of embeddings are spread over `devices`."""
    side = 56
    return [
        Workload("GPT 1.3B, training, 4 × 2048", accounting.gpt(GPT_1B, 4, 2048, size=size), BOTH),
        Workload("GPT 1.3B, one token", accounting.gpt(GPT_1B, 1, 1, size=size), FORWARD),
        Workload("DiT-XL/2 block, 64 images", dit_block(DiTConfig(), 64, 256, size=size), BOTH),
        Workload("ResNet-50 stage 1, 64 images", stage(RESNET50[0], 64, side, side, size=size), BOTH),
        Workload(
            f"DLRM embeddings, {devices} device{'s' * (devices > 1)}",
            embeddings(TABLES, 2048, size=size, devices=devices),
            BOTH,
        ),
    ]


def usual_dtype(device: Device) -> str:
    """The type that one trains with there: bfloat16, float16 before it existed, float32 on a processor."""
    return next(dtype for dtype in ("bfloat16", "float16", "float32") if dtype in device.flops)


def table(device: Device) -> list[str]:
    """Lines for people: each workload's least time on this device, its bound, shares of the time, and the MFU that is left.

    On a device without a link the tables of embeddings are not spread.
    """
    dtype = usual_dtype(device)
    lines = [f"{device.name}, {dtype}: ridge at {device.ridge(dtype):.0f} FLOP/byte"]
    for workload in catalogue(SIZES[dtype], DEVICES_OF_TABLES if device.link else 1):
        found = workload.on(device, dtype)
        shares = " ".join(f"{found.share(bound):5.0%}" for bound in found.seconds)
        mfu = found.utilization(device, dtype)
        lines.append(f"  {workload.name:30} {found.time_s * 1e3:12.3f} ms  {found.bound:13} {shares}  MFU ≤ {mfu:4.0%}")
    return lines
