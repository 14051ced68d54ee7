"""The roofline of the workloads on every device and on the processor that runs this: `python -m tests.benchmarks.workloads`.

Figures of accelerators follow from data sheets; the processor is measured. Last, small versions of the workloads run for real on
one thread beside their floors: a floor that a machine beats would be wrong, except where caches hold what the count sends to memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from mlsys_core.workloads import accounting
from mlsys_core.workloads.catalogue import BOTH, Workload, table
from mlsys_core.workloads.devices import DEVICES, Device
from mlsys_core.workloads.dit import DiTBlock, DiTConfig, dit_block
from mlsys_core.workloads.dlrm import DLRM, DLRMConfig, embeddings
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.resnet import Stage, StageConfig, stage
from mlsys_core.workloads.this_cpu import this_cpu

Step = Callable[[], Tensor]


def real() -> Iterator[tuple[Workload, Step]]:
    """Small workloads, each with a function that makes something to run backward from."""
    draws = torch.Generator().manual_seed(0)
    sizes = GPTConfig(vocab_size=1000, context=128, dim=256, layers=2, heads=8, kv_heads=4, ffn=688)
    model, tokens = GPT(sizes), torch.randint(1000, (8, 128), generator=draws)
    yield Workload("GPT, 8 × 128", accounting.gpt(sizes, 8, 128), BOTH), lambda: model.loss(tokens, tokens)

    width = DiTConfig(384, 6)
    block, patches = DiTBlock(width), torch.randn(8, 64, 384, generator=draws).requires_grad_()
    condition = torch.randn(8, 384, generator=draws).requires_grad_()
    yield Workload("DiT block, 8 images", dit_block(width, 8, 64), BOTH), lambda: block(patches, condition).sum()

    channels = StageConfig(64, 64, 2, 1)
    net, images = Stage(channels), torch.randn(2, 64, 56, 56, generator=draws).requires_grad_()
    yield Workload("ResNet stage, 2 images", stage(channels, 2, 56, 56), BOTH), lambda: net(images).sum()

    tables = DLRMConfig(tables=4, rows=200_000, dim=64, bag=8)
    recommender, rows = DLRM(tables), torch.randint(tables.rows, (2048, 4, 8), generator=draws)
    yield Workload("DLRM embeddings", embeddings(tables, 2048), BOTH), lambda: recommender.pool(rows).sum()


def seconds(step: Step, repeats: int = 5) -> float:
    """Median of a step forward and backward, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = perf_counter()
        step().backward()
        times.append(perf_counter() - start)
    return median(times[1:])


def beside_floors(cpu: Device) -> Iterator[str]:
    """Lines: measured step, floor, and the part of what is possible."""
    for workload, step in real():
        floor, measured = workload.on(cpu, "float32"), seconds(step)
        times = f"{measured * 1e3:8.1f} ms here, floor {floor.time_s * 1e3:7.1f} ms ({floor.bound})"
        yield f"  {workload.name:24} {times}: {floor.time_s / measured:.0%} of what is possible"


def main() -> None:
    """Prints the tables."""
    torch.set_num_threads(1)
    cpu = this_cpu()
    print("least time, bound, and shares of the time that wait for compute, memory, communication")
    for device in (*DEVICES, cpu):
        print("\n" + "\n".join(table(device)))
    print("\nsmall ones, run on one thread of this processor")
    print("\n".join(beside_floors(cpu)))


if __name__ == "__main__":
    main()
