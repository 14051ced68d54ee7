"""The roofline of the workloads on every device and on the processor that runs this: `python -m tests.benchmarks.workloads`.

Figures of accelerators follow from data sheets; the processor is measured. Last, a real step of a small GPT on one thread is
timed beside its floor: floors that a machine beats would be wrong.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

import torch

from mlsys_core.workloads import accounting
from mlsys_core.workloads.catalogue import table
from mlsys_core.workloads.devices import DEVICES, Device, this_cpu
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.roofline import profile

# large enough to leave the caches, small enough to wait for
SIZES = GPTConfig(vocab_size=1000, context=128, dim=256, layers=2, heads=8, kv_heads=4, ffn=688)
BATCH, TIME = 8, 128


def step_s(repeats: int = 7) -> float:
    """Median seconds of a forward and backward pass of the small GPT on one thread."""
    model = GPT(SIZES)
    tokens = torch.randint(SIZES.vocab_size, (BATCH, TIME), generator=torch.Generator().manual_seed(0))
    times = []
    for _ in range(repeats):
        start = perf_counter()
        model.loss(tokens, tokens).backward()
        times.append(perf_counter() - start)
    return median(times)


def beside_its_floor(cpu: Device) -> str:
    """A line: measured step, floor, their ratio."""
    floor_s = profile(accounting.gpt(SIZES, BATCH, TIME), cpu, "float32").time_s
    measured = step_s()
    return f"a small GPT's step here: {measured * 1e3:.1f} ms, floor {floor_s * 1e3:.1f} ms, {floor_s / measured:.0%} of what is possible"


def main() -> None:
    """Prints the tables."""
    torch.set_num_threads(1)
    cpu = this_cpu()
    print("least time, bound, and shares of the time that wait for compute, memory, communication")
    for device in (*DEVICES, cpu):
        print("\n" + "\n".join(table(device)))
    print("\n" + beside_its_floor(cpu))


if __name__ == "__main__":
    main()
