"""Serving without a machine: traces of requests, schedulers, memories, and the time of a step by the roofline.

Read `trace`, `timing`, `memory` with `buddy`, then `schedulers`, `static` and `engine`, `simulate`, `metrics`; `systems` has the
published ones.
"""

from __future__ import annotations

from mlsys_core.serving.simulator.engine import EngineBatching
from mlsys_core.serving.simulator.memory import BuddyMemory, PagedMemory, Usage
from mlsys_core.serving.simulator.metrics import Result
from mlsys_core.serving.simulator.schedulers import ContinuousBatching
from mlsys_core.serving.simulator.simulate import simulate
from mlsys_core.serving.simulator.static import StaticBatching
from mlsys_core.serving.simulator.systems import chunked_prefill, faster_transformer, orca, vllm
from mlsys_core.serving.simulator.timing import GPT3_175B, ON_8_A100, ON_A100_40GB, OPT_13B, StepModel
from mlsys_core.serving.simulator.trace import ALPACA_LIKE, SHAREGPT_LIKE, Lengths, Request, poisson_trace

__all__ = [
    "ALPACA_LIKE",
    "GPT3_175B",
    "ON_8_A100",
    "ON_A100_40GB",
    "OPT_13B",
    "SHAREGPT_LIKE",
    "BuddyMemory",
    "ContinuousBatching",
    "EngineBatching",
    "Lengths",
    "PagedMemory",
    "Request",
    "Result",
    "StaticBatching",
    "StepModel",
    "Usage",
    "chunked_prefill",
    "faster_transformer",
    "orca",
    "poisson_trace",
    "simulate",
    "vllm",
]
