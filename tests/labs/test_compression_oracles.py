"""The oracles of Lab 3's tasks 1 to 4, and the judge's small model, against torch and brute force."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mlsys_core.workloads import small_model  # noqa: E402 - only where torch is

CHECKS = Path(__file__).resolve().parents[2] / "labs" / "compression" / "checks"
NAMES = ("answers", "rtn_oracle", "int4_oracle", "gptq_oracle", "scaling_oracle", "hidden", "hidden.language")


@pytest.fixture(scope="module")
def checks() -> Iterator[SimpleNamespace]:
    """The modules beside the checks, by their last name, and forgotten again."""
    before = list(sys.path)
    sys.path.insert(0, str(CHECKS))
    loaded: dict[str, ModuleType] = {name.rpartition(".")[2]: importlib.import_module(name) for name in NAMES}
    yield SimpleNamespace(**loaded)
    sys.path[:] = before
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture(params=[0, 1, 2])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Three seeds."""
    return np.random.default_rng(request.param)


def wide(array: Any) -> Any:
    """A float64 tensor."""
    return torch.from_numpy(np.asarray(array, np.float64))


# ---- rounding


@pytest.mark.parametrize("symmetric", [True, False])
def test_rounding_is_torchs_fake_quantization(checks, rng, held, symmetric):
    bits = int(rng.integers(3, 9))
    w = rng.normal(size=(4, 30)).astype(np.float32)
    got = checks.rtn_oracle.quantized(w, bits, symmetric=symmetric)
    least, most = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)
    want = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(w), *(torch.from_numpy(got[name][:, 0].copy()) for name in ("scale", "zero")), 0, least, most
    )
    held("lab 3, rounding", "torch.fake_quantize_per_channel_affine", checks.rtn_oracle.weights(got), want, 1e-5)


def test_no_value_of_the_grid_is_nearer(checks, rng):
    w = rng.normal(size=(3, 23))
    for symmetric, group in itertools.product((True, False), (5, 8, 23)):
        got = checks.rtn_oracle.quantized(w, 3, symmetric=symmetric, per="group", group=group)
        codes = np.arange(-3, 4) if symmetric else np.arange(8)
        run = np.arange(23) // group
        values = (codes - got["zero"][:, run, None]) * got["scale"][:, run, None]
        nearest = np.abs(values - w[..., None]).min(-1)
        assert np.allclose(np.abs(checks.rtn_oracle.weights(got) - w), nearest)


def test_a_grid_for_the_whole_matrix_is_that_of_one_long_row(checks, rng):
    w = rng.normal(size=(4, 6))
    whole = checks.rtn_oracle.quantized(w, 4, symmetric=False, per="tensor")
    row = checks.rtn_oracle.quantized(w.reshape(1, -1), 4, symmetric=False)
    assert np.array_equal(whole["q"].ravel(), row["q"].ravel())
    assert whole["scale"].shape == (1, 1)


# ---- four bits


@pytest.mark.parametrize("group", [8, 64, 128])
def test_nibbles_of_words_are_the_codes(checks, rng, group):
    q = rng.integers(16, size=(3, 2 * group))
    words = checks.int4_oracle.packed(q, group).astype(np.int64) & 0xFFFFFFFF
    digits = [[f"{word:08x}"[::-1] for word in row] for row in words]
    width = group // 8
    for row, column in np.ndindex(q.shape):
        run, place = divmod(column, group)
        assert int(digits[row][run * width + place % width][place // width], 16) == q[row, column]


# ---- GPTQ


def test_elimination_is_a_sequence_of_least_squares(checks, rng, held):
    """After each column, all later weights are where the output is nearest, given those that are fixed."""
    k, bits = 6, 3
    x, w = checks.gptq_oracle.inputs(rng, 50, k), rng.normal(size=(1, k))
    got = checks.gptq_oracle.obq(w, checks.gptq_oracle.second_moments(x), bits, damp=0.0)
    scale, zero = checks.gptq_oracle.grid(w, bits)
    now, fixed = w[0].copy(), []
    for column in range(k):
        fixed.append((np.clip(np.round(now[column] / scale[0]) + zero[0], 0, 7) - zero[0]) * scale[0])
        rest = x[:, column + 1 :]
        target = x @ w[0] - x[:, : column + 1] @ np.array(fixed)
        if rest.size:
            now[column + 1 :] = np.linalg.lstsq(rest, target, rcond=None)[0]
    held("lab 3, GPTQ", "least squares", checks.gptq_oracle.weights(got)[0], np.array(fixed), 1e-9)


def test_an_identity_rounds_to_nearest(checks, rng):
    w, oracle = rng.normal(size=(3, 12)), checks.gptq_oracle
    for group in (4, 12):
        plain = checks.rtn_oracle.quantized(w, 4, symmetric=False, per="group", group=group)
        got = oracle.obq(w, np.eye(12), 4, group=group)
        assert np.array_equal(got["q"], plain["q"])
        assert np.allclose(oracle.weights(got), checks.rtn_oracle.weights(plain))
    assert all(np.array_equal(oracle.nearest(w, 4)[name], got[name]) for name in got)


def test_repairing_beats_rounding(checks, rng):
    oracle = checks.gptq_oracle
    w, h = rng.normal(size=(16, 32)), oracle.second_moments(oracle.inputs(rng, 200, 32))
    plain, repaired, ordered = (
        oracle.output_error(w, oracle.weights(one), h)
        for one in (oracle.nearest(w, 3), oracle.obq(w, h, 3), oracle.obq(w, h, 3, act_order=True))
    )
    assert repaired < 0.8 * plain
    assert ordered < 0.8 * plain


def test_the_damped_matrix_has_ones_where_nothing_comes_in(checks):
    h = np.diag([2.0, 0.0, 4.0])
    want = torch.diag(wide([2.0, 1.0, 4.0])) + 0.1 * 7 / 3 * torch.eye(3)
    assert np.allclose(checks.gptq_oracle.damped(h, 0.1), want.numpy())


# ---- scales


def test_eight_bits_are_torchs(checks, rng, held):
    x, w = rng.normal(size=(5, 24)), rng.normal(size=(7, 24))
    parts = [torch.from_numpy(one) for one in (*checks.scaling_oracle.rows(x), *checks.scaling_oracle.rows(w))]
    want = (parts[0].double() * parts[1]) @ (parts[2].double() * parts[3]).mT
    held("lab 3, eight bits", "torch in float64", checks.scaling_oracle.linear(x, w), want, 1e-12)
    assert np.abs(checks.scaling_oracle.linear(x, w) - x @ w.T).max() < 0.25


def test_the_search_takes_the_least_error_of_all(checks, rng, held):
    w, x = rng.normal(size=(6, 32)), rng.normal(size=(50, 32)) * np.exp(rng.normal(size=32))
    scales, alpha, error = checks.scaling_oracle.awq(w, x, 3, 8, 12)
    held("lab 3, AWQ", "geometric middle", scales.max() * scales.min(), 1.0, 1e-12)
    size = np.abs(x).mean(0)
    for step in range(12):
        s = torch.from_numpy(size) ** (step / 12)
        s = s / (s.max() * s.min()).sqrt()
        moved = checks.rtn_oracle.weights(
            checks.rtn_oracle.quantized(w * s.numpy(), 3, symmetric=False, per="group", group=8)
        )
        found = float((((wide(moved) / s - wide(w)) @ wide(x).mT) ** 2).mean())
        assert found >= error - 1e-12
        assert step / 12 != alpha or found == pytest.approx(error)


# ---- the small model


def test_the_judges_model_is_the_librarys(checks, held):
    model, language = small_model.load(), checks.language
    codes = language.windows(np.random.default_rng(0), 2, held_out=True, time=60)
    with torch.no_grad():
        want = model(torch.from_numpy(codes[:, :-1]))
        loss = model.loss(*(torch.from_numpy(one) for one in (codes[:, :-1], codes[:, 1:])))
    held("lab 3, logits", "workloads.gpt", language.logits(language.load(), codes[:, :-1]), want, 1e-4)
    held("lab 3, perplexity", "workloads.gpt", language.perplexity(language.load(), codes), loss.exp(), 1e-4)


def test_how_far_predictions_are_apart_is_torchs(checks, rng, held):
    exact, found = (np.log(rng.dirichlet(np.ones(9), size=(2, 5))) for _ in range(2))
    want = torch.nn.functional.kl_div(
        wide(found).flatten(0, 1), wide(exact).flatten(0, 1), reduction="batchmean", log_target=True
    )
    held("lab 3, divergence", "torch.nn.functional.kl_div", checks.language.divergence(exact, found), want, 1e-12)
    assert checks.language.divergence(exact, exact) == 0
    assert checks.language.divergence(exact, np.full_like(found, np.nan)) == np.inf


def test_outliers_are_planted_and_change_nothing(checks):
    language, rng = checks.language, np.random.default_rng(1)
    model = language.load()
    planted = language.with_outliers(model, rng)
    codes = language.windows(rng, 2, held_out=True, time=64)
    assert language.perplexity(planted, codes) == pytest.approx(language.perplexity(model, codes), rel=1e-4)
    sizes = [np.abs(language.inputs(one, codes)["blocks.2.ffn.up_proj.weight"]).max(0) for one in (model, planted)]
    assert np.sort(sizes[1])[-4:].min() > 10 * np.median(sizes[1])
    assert ((sizes[1] > 5 * sizes[0]).sum(), (np.abs(sizes[1] / sizes[0] - 1) < 1e-2).sum()) == (4, 124)


def test_a_model_of_nonsense_has_no_perplexity(checks):
    language = checks.language
    model = language.load() | {"head.weight": np.full((65, 128), np.nan, np.float32)}
    assert language.perplexity(model, language.windows(np.random.default_rng(2), 1, held_out=True, time=8)) == np.inf
