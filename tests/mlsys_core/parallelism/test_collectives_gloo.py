"""Collectives on real processes give what torch.distributed's own give."""

from __future__ import annotations

import pytest

from mlsys_core.parallelism.communication import run_processes
from tests.mlsys_core.parallelism import gloo_programs


@pytest.mark.parametrize("size", [2, 4])
def test_every_collective_equals_torch_distributed(size, held):
    for rank in run_processes(size, gloo_programs.every_collective, 7, timeout_s=60):
        assert len(rank) >= 20 + 2 * size
        for name, (ours, theirs) in rank.items():
            exact = name.startswith(("all-gather", "all-to-all", "broadcast"))
            held(f"collectives: {name.split(',')[0]}", "torch.distributed, gloo", ours, theirs, 0.0 if exact else 1e-6)
