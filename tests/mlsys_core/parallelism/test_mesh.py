"""Meshes against torch's DeviceMesh of a thousand ranks, and what groups are for: sums along one dimension."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.collectives import all_reduce
from mlsys_core.parallelism.communication import run_ranks
from mlsys_core.parallelism.mesh import Mesh
from tests.mlsys_core.parallelism.device_mesh import torch_groups

NAMES = ("dp", "pp", "cp", "tp")
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("shape", "ranks"), [((8, 16, 8), (0, 137, 1023)), ((6, 64, 8), (2017,)), ((4, 8, 4, 8), (1, 777))]
)
def test_groups_and_coordinates_are_those_of_torch_at_a_thousand_ranks(held, shape, ranks):
    names = NAMES[: len(shape)]
    mesh = Mesh(shape, names)
    for rank in ranks:
        groups, coordinates = torch_groups(rank, shape, names)
        found = {name: list(mesh.group(rank, name)) for name in names}
        held("mesh of 1,024 ranks and more", "torch DeviceMesh, fake process group", found, groups, 0)
        assert list(mesh.coordinates(rank).values()) == coordinates


@given(SHAPES)
@settings(max_examples=25, deadline=None)
def test_a_rank_and_its_coordinates_are_two_names_of_one_thing(shape):
    mesh = Mesh(shape, NAMES[: len(shape)])
    numbers = torch.arange(mesh.size).view(shape)
    for rank in range(mesh.size):
        coordinates = mesh.coordinates(rank)
        assert numbers[tuple(coordinates.values())] == rank
        assert mesh.rank(**coordinates) == rank


@given(SHAPES, st.data())
@settings(max_examples=25, deadline=None)
def test_groups_over_any_dimensions_hold_every_rank_once(shape, data):
    mesh = Mesh(shape, NAMES[: len(shape)])
    names = data.draw(st.lists(st.sampled_from(mesh.names), unique=True))
    groups = mesh.groups(*names)
    assert sorted(rank for group in groups for rank in group) == list(range(mesh.size))
    for group in groups:
        assert list(group) == sorted(group)
        assert all(mesh.group(rank, *names) == group for rank in group)


def test_the_last_dimension_is_made_of_neighbours_so_that_tensor_parallelism_stays_inside_a_node():
    mesh = Mesh((6, 64, 8), ("dp", "pp", "tp"))
    assert all(len({rank // 8 for rank in group}) == 1 for group in mesh.groups("tp"))
    assert all(len({rank // 8 for rank in group}) == len(group) for group in mesh.groups("pp") + mesh.groups("dp"))


def test_a_sum_along_one_dimension_stays_in_its_group():
    mesh = Mesh((2, 3, 2), ("dp", "pp", "tp"))

    def program(comm):
        sums = {}
        for names in (("dp",), ("pp",), ("tp",), ("dp", "tp"), mesh.names):
            own = torch.tensor([2.0**comm.rank])
            sums[names] = int(all_reduce(own, mesh.communicator(comm, *names)).item())
        return sums

    results, _ = run_ranks(mesh.size, program)
    for rank, sums in enumerate(results):
        for names, total in sums.items():
            assert total == sum(2**member for member in mesh.group(rank, *names)), (rank, names)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: Mesh((2, 2), ("dp",)), "as many different names"),
        (lambda: Mesh((2, 2), ("dp", "dp")), "as many different names"),
        (lambda: Mesh((2, 0), ("dp", "tp")), "has no ranks"),
        (lambda: Mesh((2, 2), ("dp", "tp")).group(0, "pp"), "none called 'pp'"),
        (lambda: Mesh((2, 2), ("dp", "tp")).coordinates(4), "not in a mesh of 4"),
        (lambda: Mesh((2, 2), ("dp", "tp")).rank(dp=0), "has the coordinates"),
        (lambda: Mesh((2, 2), ("dp", "tp")).rank(dp=0, tp=2), "outside a dimension of 2"),
        (lambda: run_ranks(2, lambda comm: Mesh((4,), ("dp",)).communicator(comm, "dp")), "not of 2"),
    ],
)
def test_what_makes_no_mesh_is_a_sentence(act, says):
    with pytest.raises(ValueError, match=says):
        act()
