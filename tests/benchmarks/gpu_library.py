"""What of mlsys_core can only be shown on a GPU: `python -m tests.benchmarks.gpu_library`, or `make gpu-library`.

Generated Triton kernels are compiled by the real compiler and compared with torch; Adam on the host trains weights that live on the GPU.
Prints a line a check with its worst error, and exits with 1 when one is beyond its tolerance.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mlsys_core.compiler import codegen_triton
from mlsys_core.compiler import operators as ops
from mlsys_core.compiler.ir import compute, placeholder
from mlsys_core.compiler.schedule import Schedule
from mlsys_core.parallelism.offload import HostAdam
from mlsys_core.workloads.gpt import GPT, GPTConfig

TINY = GPTConfig(vocab_size=29, context=16, dim=32, layers=2, heads=4, kv_heads=2, ffn=48)
Check = Callable[[Path], float]


def main() -> int:
    """Run every check; 0 when all hold."""
    if not torch.cuda.is_available():
        print("There is no GPU here, so nothing was checked.")
        return 2
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    checks: list[tuple[str, Check, float]] = [
        ("generated matmul, tiles and remainders", products, 1e-6),
        ("generated matmul with its epilogue", epilogue, 2e-5),
        ("generated softmax of four kernels", softmax, 2e-6),
        ("generated row reductions", reductions, 1e-5),
        ("Adam on the host, weights on the GPU", host_adam, 2e-5),
    ]
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        for name, check, tolerance in checks:
            error = check(Path(folder))
            fine &= error <= tolerance
            print(
                f"{name:42} worst error {error:.1e}, tolerance {tolerance:.0e}: {'fine' if error <= tolerance else 'WRONG'}"
            )
    return 0 if fine else 1


def tiled(schedule: Schedule, name: str, sides: tuple[int, int, int]) -> None:
    """Blocks of the grid over i and j, and a loop over blocks of k."""
    stage = schedule[name]
    for axis, side in zip("ijk", sides, strict=True):
        stage.split(axis, side)
    stage.reorder("i.0", "j.0", "k.0", "i.1", "j.1", "k.1")
    stage.parallel("i.0"), stage.parallel("j.0")


def run(schedule: Schedule, inputs: dict[str, Tensor], folder: Path) -> Tensor:
    """The first output of the generated module on the GPU."""
    module = codegen_triton.load(codegen_triton.write(schedule, folder))
    found: Tensor = module.run(*(inputs[name] for name in schedule.inputs))[0]
    return found


def drawn(schedule: Schedule, seed: int) -> dict[str, Tensor]:
    """Normal numbers for every input, on the GPU."""
    draws = torch.Generator("cuda").manual_seed(seed)
    shapes = {name: tensor.shape for name, tensor in schedule.inputs.items()}
    return {name: torch.randn(shape, device="cuda", generator=draws) for name, shape in shapes.items()}


def apart(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative where numbers are large."""
    return float(((found.double() - wanted).abs() / wanted.abs().clamp(min=1)).max())


def products(folder: Path) -> float:
    """Random shapes and tiles, against torch in float64; as a share of the sum of magnitudes, by which float32 errs."""
    draw, worst = random.Random(0), 0.0
    for seed in range(8):
        m, k, n = (draw.randint(1, 300) for _ in range(3))
        schedule = Schedule(ops.matmul(placeholder("A", (m, k)), placeholder("B", (k, n)), "C"))
        tiled(schedule, "C", (draw.choice([16, 32, 64]), draw.choice([16, 32, 64]), draw.choice([16, 32])))
        inputs = drawn(schedule, seed)
        a, b = inputs["A"].double(), inputs["B"].double()
        error = (run(schedule, inputs, folder).double() - a @ b).abs()
        worst = max(worst, float((error / (a.abs() @ b.abs())).max()))
    return worst


def epilogue(folder: Path) -> float:
    """A layer and what follows it in one kernel."""
    a, b, bias = placeholder("A", (121, 90)), placeholder("B", (90, 75)), placeholder("bias", (75,))
    p = ops.matmul(a, b, "P")
    shifted = ops.elementwise("S", lambda e: e * 0.5, compute("Q", (121, 75), lambda i, j: p[i, j] + bias[j]))
    schedule = Schedule(ops.elementwise("Y", lambda e: ops.maximum(e, -0.25), shifted))
    schedule.inline("Q"), schedule.inline("S"), schedule.fuse_epilogue("Y")
    tiled(schedule, "Y", (32, 16, 16))
    x = drawn(schedule, 1)
    wanted = ((x["A"].double() @ x["B"].double() + x["bias"]) * 0.5).clamp(min=-0.25)
    return apart(run(schedule, x, folder), wanted)


def softmax(folder: Path) -> float:
    """Maximum, exponentials, sum and quotient."""
    schedule = Schedule(ops.softmax(placeholder("X", (37, 500)))[-1])
    for stage in schedule.stages.values():
        along = "k" if "k" in stage.order else "j"
        stage.split(along, 64)
        stage.parallel("i")
        if along == "j":
            stage.parallel("j.0")
    x = drawn(schedule, 2)
    return apart(run(schedule, x, folder), (x["X"].double()).softmax(1))


def reductions(folder: Path) -> float:
    """Sums and maxima of rows."""
    worst = 0.0
    for kind, wanted in (("+", lambda x: x.sum(1)), ("max", lambda x: x.amax(1))):
        schedule = Schedule(ops.row_reduce(kind, placeholder("X", (53, 700)), "Y"))
        stage = schedule["Y"]
        stage.split("i", 4), stage.split("k", 128)
        stage.reorder("i.0", "k.0", "i.1", "k.1"), stage.parallel("i.0")
        x = drawn(schedule, 3)
        worst = max(worst, apart(run(schedule, x, folder), wanted(x["X"].double())))
    return worst


def host_adam(_folder: Path) -> float:
    """Ten steps of the tiny GPT on the GPU: states on the host against torch's Adam."""
    draws = torch.Generator().manual_seed(5)
    steps = [torch.randint(29, (8, 17), generator=draws).cuda() for _ in range(10)]
    ends = []
    for make in (lambda p: torch.optim.Adam(p, lr=1e-3), lambda p: HostAdam(p, lr=1e-3, chunk=1000)):
        model = GPT(TINY, 0).cuda()
        optimizer = make(list(model.parameters()))
        for tokens in steps:
            optimizer.zero_grad()
            model.loss(tokens[:, :-1], tokens[:, 1:]).backward()
            optimizer.step()
        torch.cuda.synchronize()
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]).double())
    return apart(ends[1], ends[0])


if __name__ == "__main__":
    sys.exit(main())
