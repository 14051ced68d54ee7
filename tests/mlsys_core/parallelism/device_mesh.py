"""torch's DeviceMesh without devices: the `fake` process group of torch's own tests, which is private and stands in this file only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
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


def torch_shard(rank: int, ranks: int, shape: Sequence[int], axis: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and offset of a rank's part of a DTensor that is cut along an axis."""
    dist.init_process_group("fake", rank=rank, world_size=ranks, store=FakeStore())
    try:
        mesh = init_device_mesh("cpu", (ranks,))
        return compute_local_shape_and_global_offset(tuple(shape), mesh, [Shard(axis)])
    finally:
        dist.destroy_process_group()
