"""Training a model that does not fit: what lives on the host, what travels when, and where the optimizer runs.

`simulator` runs tasks on resources, `step` turns a plan into tasks, `planner` finds the fastest plan, `host_adam` does it.
"""

from __future__ import annotations

from mlsys_core.parallelism.offload.host_adam import HostAdam
from mlsys_core.parallelism.offload.planner import Plan, plan_step
from mlsys_core.parallelism.offload.simulator import Task, Timeline, simulate
from mlsys_core.parallelism.offload.step import GH200, A100_PCIe, Choice, Layer, Machine, tasks_of

__all__ = [
    "GH200",
    "A100_PCIe",
    "Choice",
    "HostAdam",
    "Layer",
    "Machine",
    "Plan",
    "Task",
    "Timeline",
    "plan_step",
    "simulate",
    "tasks_of",
]
