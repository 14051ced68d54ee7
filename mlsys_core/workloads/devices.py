"""What machines can do at most: arithmetic by type of number, memory, and the link to the next device.

Idea      Three numbers decide how fast anything can run: FLOP/s, bytes/s to memory, bytes/s to other devices. Data sheets
          give them for accelerators; for the processor that runs this, `this_cpu` measures them.
Equation  time ≥ FLOPs / peak,  bytes / bandwidth,  sent / link
Paper     Data sheets, named at each device.
Cost      None: figures. The standard library is enough to read them.

Peaks are without structured sparsity, which data sheets since Ampere count twice. `link` is in one direction; NVIDIA's data
sheets give the sum of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SIZES: Mapping[str, int] = MappingProxyType(
    {"float64": 8, "float32": 4, "tf32": 4, "bfloat16": 2, "float16": 2, "float8": 1, "int8": 1}
)


@dataclass(frozen=True)
class Device:
    """Peaks of one device.

    flops      FLOP/s by type, for matrix products
    bandwidth  bytes/s between it and its memory
    memory     bytes of that memory
    link       bytes/s that it can send to its neighbours; 0 where it has none
    host_link  bytes/s from the host's memory, one direction
    source     where the figures are published
    """

    name: str
    flops: Mapping[str, float]
    bandwidth: float
    memory: float
    link: float = 0
    host_link: float = 0
    source: str = ""

    def peak(self, dtype: str) -> float:
        """FLOP/s for this type. Raises ValueError where the device has no unit for it."""
        if dtype not in self.flops:
            raise ValueError(f"{self.name} has no figure for {dtype}: it has {', '.join(self.flops)}.")
        return self.flops[dtype]

    def ridge(self, dtype: str) -> float:
        """FLOPs a byte at which arithmetic and memory take equally long: below it, memory decides."""
        return self.peak(dtype) / self.bandwidth


def _tera(**figures: float) -> Mapping[str, float]:
    return MappingProxyType({dtype: figure * 1e12 for dtype, figure in figures.items()})


V100 = Device(
    "V100",
    _tera(float64=7.8, float32=15.7, float16=125),
    bandwidth=900e9,
    memory=32e9,
    link=150e9,
    host_link=16e9,
    source="NVIDIA Tesla V100 data sheet (SXM2, 32 GB): NVLink 300 GB/s, PCIe gen 3 32 GB/s, both directions together",
)
A100 = Device(
    "A100",
    _tera(float64=19.5, float32=19.5, tf32=156, bfloat16=312, float16=312, int8=624),
    bandwidth=2039e9,
    memory=80e9,
    link=300e9,
    host_link=32e9,
    source="NVIDIA A100 data sheet (SXM, 80 GB): float64 on tensor cores; NVLink 600 GB/s, PCIe gen 4 64 GB/s",
)
_HOPPER = _tera(float64=67, float32=67, tf32=494.5, bfloat16=989.5, float16=989.5, float8=1979, int8=1979)
H100 = Device(
    "H100",
    _HOPPER,
    bandwidth=3.35e12,
    memory=80e9,
    link=450e9,
    host_link=64e9,
    source="NVIDIA H100 data sheet (SXM): half of its figures with sparsity; NVLink 900 GB/s, PCIe gen 5 128 GB/s",
)
H200 = Device(
    "H200",
    _HOPPER,
    bandwidth=4.8e12,
    memory=141e9,
    link=450e9,
    host_link=64e9,
    source="NVIDIA H200 data sheet (SXM): half of its figures with sparsity; NVLink 900 GB/s, PCIe gen 5 128 GB/s",
)
GH200 = Device(
    "GH200",
    _HOPPER,
    bandwidth=4e12,
    memory=96e9,
    link=450e9,
    host_link=450e9,
    source="NVIDIA GH200 data sheet (HBM3, 96 GB): NVLink 900 GB/s, and NVLink-C2C 900 GB/s to Grace's memory",
)
TPU_V4 = Device(
    "TPUv4",
    _tera(bfloat16=275, int8=275),
    bandwidth=1.2e12,
    memory=32 * 2**30,
    link=270e9,
    source="Google Cloud, TPU v4 system architecture; link: R. Pope et al., Efficiently Scaling Transformer Inference, 2022",
)
DEVICES = (V100, A100, H100, H200, GH200, TPU_V4)
