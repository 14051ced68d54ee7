"""Where kernels are tested: interpreted on the CPU, or compiled on a GPU when the interpreter was not asked for."""

from __future__ import annotations

import torch

from mlsys_core.kernels.launch import INTERPRETED

ON_GPU = torch.cuda.is_available() and not INTERPRETED
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
# The interpreter's bfloat16 is wrong (upstream: not supported), so it is tested where it is compiled.
HALVES = [torch.float16, torch.bfloat16] if ON_GPU else [torch.float16]
DTYPES = [torch.float32, *HALVES]
SCALE = 8 if ON_GPU else 1  # how much larger shapes may be where they cost nothing


def generator(seed: int) -> torch.Generator:
    """Random numbers of a test, on the device that it runs on."""
    return torch.Generator(device=DEVICE).manual_seed(seed)
