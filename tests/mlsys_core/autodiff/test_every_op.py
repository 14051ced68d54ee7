"""Nothing is exported without a comparison: every operation has cases against torch, and every other name a test file."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor, nn, ops, optim
from tests.mlsys_core.autodiff.against_torch import tables, tupled

HERE = Path(__file__).parent
# what is exported beside the operations, and the file that holds it to something
ELSEWHERE = {
    "GradientMismatchError": "test_check",
    "Tensor": "test_tensor",
    "grad": "test_higher_order",
    "gradcheck": "test_check",
    "gradgradcheck": "test_check",
    "hvp": "test_higher_order",
    "is_recording": "test_graph",
    "jvp": "test_higher_order",
    "nn": "test_nn",
    "no_grad": "test_graph",
    "optim": "test_optim",
    "recording": "test_graph",
    "vhp": "test_higher_order",
    "vjp": "test_higher_order",
}
# their trials hold a float64 constant, so that their results are float64 rightly
WIDE = {
    "whole_powers_of_both_signs",
    "arrays_on_either_side",
    "affine_in_its_bias_alone",
    "concatenate_one_part_twice_beside_a_constant",
    "gradients_to_the_values_alone",
    "a_constant_factor",
}


def cases():
    """All cases of all files."""
    return [case for table in tables().values() for case in table]


def test_every_operation_is_compared_with_torch():
    exported = {getattr(ops, name) for name in ops.__all__ if name != "UFUNCS"}
    compared = {case.op for case in cases()}
    assert sorted(op.__name__ for op in exported - compared) == []


def test_every_table_is_run():
    for name, table in tables().items():
        marks = importlib.import_module(name).test_it_agrees_with_torch.pytestmark
        assert any(mark.args[1] is table for mark in marks), f"{name} has cases that no test is parametrized with"


def test_labels_are_seeds_so_they_differ():
    for name, table in tables().items():
        labels = [case.label for case in table]
        assert len(labels) == len(set(labels)), name


def test_every_exported_name_is_an_operation_or_is_tested_by_name():
    assert set(ad.__all__) == {name for name in ops.__all__ if name != "UFUNCS"} | ELSEWHERE.keys()
    assert all(getattr(ad, name) is getattr(ops, name) for name in ops.__all__ if name != "UFUNCS")
    for name, file in ELSEWHERE.items():
        assert name in (HERE / f"{file}.py").read_text(), f"{name} is not in {file}.py"


@pytest.mark.parametrize(
    ("module", "files"), [(nn, ("test_nn", "test_module")), (optim, ("test_optim",))], ids=["nn", "optim"]
)
def test_every_layer_and_optimizer_is_tested_by_name(module, files):
    exported = {name for name, x in vars(module).items() if getattr(x, "__module__", "").startswith(module.__name__)}
    source = "".join((HERE / f"{file}.py").read_text() for file in files)
    assert sorted(name for name in exported if f"{module.__name__.rpartition('.')[2]}.{name}" not in source) == []


def test_every_operation_keeps_float32():
    for case in cases():
        trial = case.trial(0)
        xs = [Tensor(x.astype(np.float32), requires_grad=True) for x in trial.inputs]
        ys = tupled(trial.ours(*xs))
        gradients = ad.grad(ys, xs, [np.ones_like(y.numpy()) for y in ys], create_graph=True)
        assert case.label in WIDE or {x.dtype.name for x in (*ys, *gradients)} == {"float32"}, case.label
