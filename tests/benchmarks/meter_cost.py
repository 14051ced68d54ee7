"""What metering costs: time of a kernel under the meter over its time in the plain interpreter, interleaved.

`TRITON_INTERPRET=1 python -m tests.benchmarks.meter_cost`
"""

from __future__ import annotations

import torch

from mlsys_core.kernels.meter import Meter
from tests.benchmarks.interleave import interleaved
from tests.mlsys_core.kernels import sample_kernels as k


def main() -> None:
    """Print a row a kernel."""
    x, square = torch.ones(64, 1000), torch.ones(128, 128)
    out, product = torch.zeros_like(x), torch.zeros_like(square)
    runs = {
        "add, blocks of 64": lambda: k.add[(32,)](x, x, out, 2048, BLOCK=64),
        "add, blocks of 1024": lambda: k.add[(32,)](x, x, out, 32_768, BLOCK=1024),
        "softmax, rows of 1000": lambda: k.softmax[(64,)](x, out, 1000, BLOCK=1024),
        "matmul 128³, tiles of 32": lambda: k.matmul[(4, 4)](
            square, square, product, 128, 128, 128, BM=32, BN=32, BK=32
        ),
        "matmul 128³, tiles of 64": lambda: k.matmul[(2, 2)](
            square, square, product, 128, 128, 128, BM=64, BN=64, BK=64
        ),
    }
    for name, run in runs.items():

        def metered(run=run) -> None:
            with Meter():
                run()

        paired = interleaved(metered, run, rounds=9)
        print(
            f"{name:26} {paired.theirs_s * 1e3:7.1f} ms plain {paired.ours_s * 1e3:7.1f} ms metered {paired.ratio:5.2f} times"
        )


if __name__ == "__main__":
    main()
