"""torch's DeviceMesh without devices: the `fake` process group of torch's own tests, which is private and stands in this file only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore


def torch_groups(rank: int, shape: Sequence[int], names: Sequence[str]) -> tuple[dict[str, list[int]], list[int]]:
    """What torch says of one rank of a mesh: its group along each dimension, and its coordinates."""
    dist.init_process_group("fake", rank=rank, world_size=int(torch.tensor(shape).prod()), store=FakeStore())
    try:
        mesh = init_device_mesh("cpu", tuple(shape), mesh_dim_names=tuple(names))
        groups = {name: dist.get_process_group_ranks(mesh.get_group(name)) for name in names}
        return groups, list(mesh.get_coordinate())
    finally:
        dist.destroy_process_group()
