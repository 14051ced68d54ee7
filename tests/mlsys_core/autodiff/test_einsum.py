"""Sums of products against torch.einsum for random subscripts of one to three factors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import SEEDS, Case, Table, Trial, hold

CASES = Table()
LENGTHS = {"i": 2, "j": 3, "k": 4, "l": 5}
FIXED = (
    "ij->ji",
    "ij->",
    "ij->j",
    "i->i",
    "i,i->",
    "i,j->ij",
    "i,j->ji",
    "ij,jk->ik",
    "ij,kj->ik",
    "lij,ljk->lik",
    "ij,ij->",
    "ij,jk,kl->il",
    "ij,ik,il->jkl",
    ",ij->ji",
    "ij,->j",
    "ij,k->",
    "lijk,likj->jl",
)


def random_spec(rng: np.random.Generator) -> str:
    """Factors of random indices in random order, and a random part of all indices as the result."""

    def some(letters: str) -> str:
        return "".join(rng.permutation(list(letters))[: rng.integers(len(letters) + 1)]) if letters else ""

    factors = [some("ijkl") for _ in range(rng.integers(1, 4))]
    return ",".join(factors) + "->" + some("".join(sorted(set("".join(factors)))))


def _factors(rng, spec: str, lengths: dict[str, int]) -> list[draws.Array]:
    return [draws.normal(rng, tuple(lengths[c] for c in term)) for term in spec.partition("->")[0].split(",")]


def summed(spec: str, inputs: list[draws.Array]) -> Trial:
    """The same sum of products in both worlds."""
    return Trial(inputs, lambda *xs: ad.einsum(spec, *xs), lambda *xs: torch.einsum(spec, *xs))


def _enter(spec):
    @CASES.of(ad.einsum, spec)
    def _(rng):
        return summed(spec, _factors(rng, spec, LENGTHS))


for _spec in FIXED:
    _enter(_spec)


@CASES.of(ad.einsum)
def axes_of_length_one_that_are_repeated(rng):
    spec = random_spec(rng)
    inputs = _factors(rng, spec, LENGTHS)
    # a result cannot be longer than what it is made of, so the first factor keeps its lengths
    narrow = [x[tuple(slice(0, 1 if rng.random() < 0.5 else None) for _ in x.shape)] for x in inputs[1:]]
    return summed(spec, [inputs[0], *narrow])


@CASES.of(ad.einsum)
def one_factor_twice(rng):
    x = draws.normal(rng, (3, 3))
    return Trial([x], lambda t: ad.einsum("ij,jk->ki", t, t), lambda t: torch.einsum("ij,jk->ki", t, t))


@CASES.of(ad.einsum)
def a_constant_factor(rng):
    x, fixed = draws.normal(rng, (2, 3)), rng.standard_normal((4, 3))
    return Trial(
        [x],
        lambda t: ad.einsum("ij , kj -> ik", t * t, fixed),
        lambda t: torch.einsum("ij,kj->ik", t * t, torch.tensor(fixed)),
    )


@pytest.mark.parametrize("seed", SEEDS[:4])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_agrees_with_torch(case: Case, seed: int):
    case.hold(seed)


@pytest.mark.parametrize("seed", range(60))
def test_it_agrees_for_random_subscripts(seed):
    rng = np.random.default_rng(seed)
    spec = random_spec(rng)
    hold(summed(spec, _factors(rng, spec, LENGTHS)), rng)


@pytest.mark.parametrize("empty", ["i", "j", "k"])
def test_it_agrees_for_nothing(empty):
    rng = np.random.default_rng(0)
    lengths = LENGTHS | {empty: 0}
    hold(summed("ij,jk->ik", _factors(rng, "ij,jk->ik", lengths)), rng)
    hold(summed("ijk->k", _factors(rng, "ijk->k", lengths)), rng)


@pytest.mark.parametrize("spec", ["ii->i", "ij,jj->i", "ij->ii", "...j->j", "ij,jk", "ij"])
def test_spellings_that_have_clearer_ones_are_refused(spec):
    with pytest.raises(ValueError, match="with an arrow, without an ellipsis, and with each index once"):
        ad.einsum(spec, *[Tensor(np.ones((3, 3)))] * (1 + spec.count(",")))


@pytest.mark.parametrize(
    ("spec", "shapes"),
    [("ij,jk->ik", [(2, 3), (4, 5)]), ("ij,jk->ik", [(2, 3)]), ("ij->ik", [(2, 3)]), ("ij->i", [(2,)])],
)
def test_factors_that_do_not_fit_are_refused(spec, shapes):
    with pytest.raises(ValueError):
        ad.einsum(spec, *(Tensor(np.ones(s), requires_grad=True) for s in shapes))
