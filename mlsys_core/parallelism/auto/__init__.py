"""A plan made by a program: how each operator is cut inside a mesh, and how layers become stages on meshes.

`graph` says what is computed, `sharding` what each way to cut it costs, `intra` picks one way an operator by an integer
program, `stages` cuts layers into stages by dynamic programming, `planner` does both for a GPT.
"""

from __future__ import annotations

from mlsys_core.parallelism.auto.graph import Graph, Op, gpt_block
from mlsys_core.parallelism.auto.intra import Assignment, Problem, shard, solve
from mlsys_core.parallelism.auto.planner import parallelize
from mlsys_core.parallelism.auto.sharding import Grid, Spec, Strategy, reshard_cost, spec_name, strategies
from mlsys_core.parallelism.auto.stages import Pipeline, Stage, equal_layers, equal_operators, slice_stages

__all__ = [
    "Assignment",
    "Graph",
    "Grid",
    "Op",
    "Pipeline",
    "Problem",
    "Spec",
    "Stage",
    "Strategy",
    "equal_layers",
    "equal_operators",
    "gpt_block",
    "parallelize",
    "reshard_cost",
    "shard",
    "slice_stages",
    "solve",
    "spec_name",
    "strategies",
]
