"""How a kernel finds its meta-parameters: measured once on a GPU, given in the interpreter.

Idea      The best tile depends on the chip and on the shape. On a GPU the candidates are timed at the first call of a shape and the
          winner is kept; the interpreter has no clock worth asking, so there the first candidate is taken as it stands, and a caller
          may name another. One kernel source serves both.
Equation  config*(key) = argmin over candidates of median time(config, key)
Paper     P. Tillet, H. T. Kung, D. Cox, "Triton: an intermediate language and compiler for tiled neural network computations",
          MAPL 2019, section 6 (the auto-tuner).
Cost      Candidates × about 50 ms at the first call of a key on a GPU; nothing after that, and nothing in the interpreter.

A kernel that is tuned by default and may be told its tile is launched so:

    kernel = tuned([Config({"BLOCK": 32}), Config({"BLOCK": 128}, num_warps=8)], key=["n"])(jitted)
    kernel[grid](x, y, n)                      # tuned on a GPU, BLOCK=32 in the interpreter
    jitted[grid](x, y, n, BLOCK=64)            # as told
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
import triton
from triton import Config

INTERPRETED: bool = triton.knobs.runtime.interpret  # read once: TRITON_INTERPRET=1 before triton is imported


class Fixed:
    """A kernel in the interpreter, with the first candidate's meta-parameters where the caller names none."""

    def __init__(self, kernel: Any, config: Config) -> None:
        self.kernel, self.config = kernel, config

    def __getitem__(self, grid: Any) -> Callable[..., Any]:
        """The launcher for a grid; the grid may be a function of the meta-parameters, as triton has it."""

        def launch(*arguments: Any, **named: Any) -> Any:
            return self.kernel[grid](*arguments, **(self.config.kwargs | named))

        return launch


def tuned(configs: Sequence[Config], key: Sequence[str], **options: Any) -> Callable[[Any], Any]:
    """Wraps a jitted kernel: `triton.autotune` over the configs on a GPU, the first config in the interpreter.

    `key` names the arguments whose change asks for a new measurement; options go to `triton.autotune`.
    """

    def wrap(kernel: Any) -> Any:
        if INTERPRETED:
            return Fixed(kernel, configs[0])
        return triton.autotune(list(configs), list(key), **options)(kernel)

    return wrap


@lru_cache
def multiprocessors(device: torch.device) -> int:
    """How many programs of a persistent kernel run side by side: the GPU's multiprocessors; 4 in the interpreter."""
    if device.type != "cuda":
        return 4
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
