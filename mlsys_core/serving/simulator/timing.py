"""How long a step takes: the roofline of one pass of a model over all tokens of a batch.

Idea      A pass reads all weights once and each sequence's keys and values once, whatever else it does; it computes for every token.
          With few tokens the reading takes longer, so more tokens come for free, until the arithmetic takes as long. All of batching
          follows from that.
Equation  time = max(FLOPs / peak, bytes / bandwidth, sent / link) / efficiency + overhead
          FLOPs = 2 P n + 4 L h Σ pairs;   bytes = s P + 2 s L h Σ context;   sent = 4 L s n h (p - 1)/p
Paper     S. Williams et al., CACM 52(4), 2009; R. Pope et al., MLSys 2023, section 2 (what a step reads and computes).
Cost      Microseconds a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mlsys_core.serving.simulator.sequence import Sequence
from mlsys_core.workloads.devices import A100, Device
from mlsys_core.workloads.operations import Work
from mlsys_core.workloads.roofline import floor

# NVIDIA A100 data sheet (SXM, 40 GB); the memory is counted in binary units
A100_40GB = replace(A100, name="A100 40 GB", bandwidth=1555e9, memory=40 * 2**30)


@dataclass(frozen=True)
class Model:
    """Parameters, layers and width of a model with as many heads of keys as of queries."""

    name: str
    parameters: float
    layers: int
    width: int


OPT_13B = Model("OPT-13B", 13e9, 40, 5120)
GPT3_175B = Model("GPT-3 175B", 175e9, 96, 12_288)


@dataclass
class Batch:
    """What one step reads: so many new tokens of each sequence; and what it computes, padding included.

    tokens   new tokens
    context  keys that are read, summed over sequences
    pairs    pairs of a query and a key
    """

    entries: list[tuple[Sequence, int]] = field(default_factory=list)
    tokens: int = 0
    context: int = 0
    pairs: int = 0

    def add(self, sequence: Sequence, new: int) -> None:
        """The next `new` tokens of a sequence, without padding."""
        self.entries.append((sequence, new))
        self.pad(new, sequence.computed)

    def pad(self, new: int, before: int) -> None:
        """Work on `new` tokens after `before`, whoever needs it."""
        self.tokens += new
        self.context += before + new
        self.pairs += new * before + new * (new + 1) // 2


@dataclass(frozen=True)
class StepModel:
    """A model on devices that share each layer.

    size         bytes of a number
    efficiency   part of the roofline's speed that a real system reaches
    overhead_s   seconds a step that are none of the devices' work
    """

    model: Model
    device: Device
    devices: int = 1
    dtype: str = "float16"
    size: int = 2
    efficiency: float = 1.0
    overhead_s: float = 0.0

    @property
    def kv_bytes(self) -> int:
        """Bytes of keys and values of one token, on all devices."""
        return 2 * self.size * self.model.layers * self.model.width

    def slots(self, share: float = 0.9) -> int:
        """Tokens for whose keys and values there is room beside the weights, in a share of the memory. ValueError for none."""
        room = share * self.devices * self.device.memory - self.model.parameters * self.size
        if room < self.kv_bytes:
            raise ValueError(
                f"{self.model.name} leaves no room for keys on {self.devices} × {self.device.name}: use more devices."
            )
        return int(room // self.kv_bytes)

    def work(self, batch: Batch) -> Work:
        """What each device computes, reads and sends in a step."""
        model, p = self.model, self.devices
        flops = 2 * model.parameters * batch.tokens + 4 * model.layers * model.width * batch.pairs
        memory = self.size * model.parameters + self.kv_bytes * batch.context
        # two sums over all devices a layer, each 2 (p - 1)/p of its size by a ring
        sent = 4 * model.layers * self.size * batch.tokens * model.width * (p - 1) / p
        return Work(int(flops / p), int(memory / p), sent)

    def seconds(self, batch: Batch) -> float:
        """How long a step takes."""
        return floor(self.work(batch), self.device, self.dtype).time_s / self.efficiency + self.overhead_s


ON_A100_40GB = StepModel(OPT_13B, A100_40GB)
ON_8_A100 = StepModel(GPT3_175B, A100, devices=8)
