"""The oracles of Lab 3's tasks 5 to 8 against torch, scipy, least squares and brute force: who checks students is checked here."""

from __future__ import annotations

import importlib
import itertools
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from grader.checks.expect import CheckFailed, Expect

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402 - only where torch is

from mlsys_core.workloads.gpt import rope  # noqa: E402

CHECKS = Path(__file__).resolve().parents[2] / "labs" / "compression" / "checks"
NAMES = ("answers", "sparsity_oracle", "lowrank_oracle", "kv_oracle", "stored")
HIDDEN = ("surgeon", "needles", "area")


@pytest.fixture(scope="module")
def checks() -> Iterator[SimpleNamespace]:
    """The modules beside the checks, by topic, and forgotten again."""
    before = list(sys.path)
    sys.path.insert(0, str(CHECKS))
    loaded: dict[str, ModuleType] = {name.split("_")[0]: importlib.import_module(name) for name in NAMES}
    hidden = {name: importlib.import_module(f"hidden.{name}") for name in HIDDEN}
    yield SimpleNamespace(**loaded, **hidden)
    sys.path[:] = before
    for name in (*NAMES, *(f"hidden.{one}" for one in HIDDEN), "hidden"):
        sys.modules.pop(name, None)


@pytest.fixture(params=[0, 1, 2])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Three seeds."""
    return np.random.default_rng(request.param)


def problem(rng: np.random.Generator, rows: int, width: int) -> tuple[Any, Any]:
    """A weight (rows, width) and correlated inputs."""
    return rng.normal(size=(rows, width)), rng.normal(size=(4 * width, width)) @ rng.normal(size=(width, width))


# ---- Task 5: masks and what is left


def test_masks_keep_what_torch_finds_largest(checks, rng):
    oracle, scores = checks.sparsity, rng.random((6, 24))
    top = torch.from_numpy(scores).unflatten(1, (-1, 4)).topk(2, -1).indices
    want = torch.zeros(6, 6, 4, dtype=torch.bool).scatter_(-1, top, True).flatten(1)
    assert (oracle.n_of_m(scores, 2, 4) == want.numpy()).all()
    whole = torch.from_numpy(scores - 0.5).abs().flatten().topk(scores.size - round(0.3 * scores.size)).indices
    assert set(np.flatnonzero(oracle.largest(scores - 0.5, 0.3))) == set(whole.tolist())
    assert oracle.without_smallest(np.zeros(6), 2).tolist() == [False, False, True, True, True, True]


def test_scores_by_inputs_are_magnitudes_times_norms(checks, rng, held):
    weight, inputs = problem(rng, 5, 11)
    scores, mask = checks.sparsity.by_inputs(weight, inputs, 0.4)
    want = torch.from_numpy(weight).abs() * torch.linalg.vector_norm(torch.from_numpy(inputs), dim=0)
    held("lab 3, Wanda's scores", "torch.linalg.vector_norm", scores, want.numpy(), 1e-12)
    assert (mask.sum(1) == 11 - round(0.4 * 11)).all()
    assert all(row[kept].min() > row[~kept].max() for row, kept in zip(scores, mask, strict=True))


def test_weights_on_a_mask_are_those_of_torchs_normal_equations(checks, rng, held):
    weight, inputs = problem(rng, 4, 9)
    mask, hessian = rng.random((4, 9)) < 0.5, torch.from_numpy(inputs.T @ inputs)
    mask[1] = False
    found = checks.sparsity.fitted(weight, inputs, mask)
    for row, kept in enumerate(mask):
        at = np.flatnonzero(kept)
        want = np.zeros(9)
        want[at] = torch.linalg.solve(hessian[at][:, at], (hessian @ torch.from_numpy(weight[row]))[at]).numpy()
        held("lab 3, weights on a mask", "torch.linalg.solve", found[row], want, 1e-6)


def test_the_price_of_a_weight_is_the_error_that_least_squares_cannot_mend(checks, rng, held):
    weight, inputs = problem(rng, 3, 8)
    hessian = inputs.T @ inputs
    for column in (0, 3, 7):
        found = checks.surgeon.saliency(weight[:, column], hessian, column)
        behind = inputs[:, column + 1 :]
        lost = inputs[:, column, None] * weight[None, :, column]
        residual = lost - behind @ np.linalg.lstsq(behind, lost, rcond=None)[0] if behind.size else lost
        held("lab 3, price of a weight", "numpy.linalg.lstsq", found, (residual**2).sum(0), 1e-9 * found.max())


def test_with_all_removals_in_front_sparsegpt_is_least_squares_on_its_mask(checks, rng, held):
    """Inputs that hardly matter stand in front: all of them go, and what is left is free to make up for all of them at once."""
    weight, inputs = problem(rng, 4, 12)
    inputs[:, :6] *= 1e-3
    new, mask = checks.surgeon.pruned(weight, inputs.T @ inputs, sparsity=0.5, block=12, pattern=None, damp=0.0)
    assert not mask[:, :6].any()
    assert mask[:, 6:].all()
    held("lab 3, SparseGPT", "least squares", new, checks.sparsity.fitted(weight, inputs, mask), 1e-7)


def test_every_column_leaves_the_best_weights_behind_it(checks, rng):
    """After the last removal nothing that is still free can be changed for the better."""
    weight, inputs = problem(rng, 5, 12)
    hessian = checks.surgeon.damped(inputs.T @ inputs)
    for pattern in (None, (2, 4)):
        new, mask = checks.surgeon.pruned(weight, inputs.T @ inputs, sparsity=0.5, block=4, pattern=pattern)
        if pattern:
            assert (mask.reshape(5, 3, 4).sum(-1) == 2).all()
        assert (mask.sum(), (new[~mask] == 0).all()) == (30, True)
        gradient = (new - weight) @ hessian
        for row, kept in enumerate(mask):
            behind = np.arange(12) > np.flatnonzero(~kept).max()
            assert np.abs(gradient[row, behind]).max(initial=0) < 1e-8 * np.abs(hessian).max()
        best = checks.sparsity.output_error(checks.sparsity.fitted(weight, inputs, mask), weight, inputs.T @ inputs)
        error, plain = (checks.sparsity.output_error(one, weight, inputs.T @ inputs) for one in (new, weight * mask))
        assert best <= error < plain


def test_what_is_stored_of_two_of_four_is_read_as_it_was_packed(checks, rng):
    weight = checks.sparsity.two_of_four(rng, 3, 16)
    values, positions = np.zeros((3, 8), np.float16), np.zeros((3, 2), np.uint8)
    for row, group in itertools.product(range(3), range(4)):
        first, second = np.flatnonzero(weight[row, 4 * group : 4 * group + 4])
        values[row, 2 * group : 2 * group + 2] = weight[row, [4 * group + first, 4 * group + second]]
        positions[row, group // 2] |= (first + 4 * second) << 4 * (group % 2)
    assert (checks.sparsity.expanded(Expect(), values, positions, (3, 16)) == weight).all()
    with pytest.raises(CheckFailed, match="do not rise"):
        checks.sparsity.expanded(Expect(), values, np.zeros_like(positions), (3, 16))


# ---- Task 6: rank and codes


def test_what_the_best_factors_leave_is_the_tail_of_the_singular_values(checks, rng, held):
    for shape in ((7, 4), (4, 9)):
        weight = rng.normal(size=shape)
        tail = torch.linalg.svdvals(torch.from_numpy(weight))[2:].square().sum().sqrt()
        held("lab 3, low rank", "torch.linalg.svdvals", checks.lowrank.left_over(weight, 2), float(tail), 1e-10)
    inputs = rng.normal(size=(20, 6))
    hessian = inputs.T @ inputs
    root = checks.lowrank.root(hessian)
    held("lab 3, root of H", "its square", root @ root, hessian, 1e-10)
    error = rng.normal(size=(3, 6))
    assert np.trace(error @ hessian @ error.T) == pytest.approx(np.linalg.norm(error @ root) ** 2)


def test_the_levels_are_quantiles_of_the_normal_distribution(checks, held):
    first = 1 - (1 / 32 + 1 / 30) / 2
    upper, lower = (stats.norm.ppf(np.linspace(first, 0.5, count)[:-1]) for count in (9, 8))
    want = np.sort(np.concatenate((-lower, [0], upper)))
    held("lab 3, levels of NF4", "scipy.stats.norm.ppf", checks.lowrank.levels(), want / want.max(), 1e-12)


def nf4_by_hand(checks: Any, weight: Any, block: int) -> dict[str, Any]:
    """Codes of every weight by trying all levels."""
    table = checks.lowrank.levels()
    scales = [float(np.abs(weight[at : at + block]).max()) for at in range(0, len(weight), block)]
    pairs = [(x, scales[i // block]) for i, x in enumerate(weight.tolist())]
    codes = [min(range(16), key=lambda c: abs(table[c] - (x / s if s else 0))) for x, s in pairs]
    back = [table[c] * s for c, (_, s) in zip(codes, pairs, strict=True)]
    return {"codes": np.array(codes, np.uint8), "scales": np.float32(scales), "back": np.float32(back)}


def test_codes_that_are_the_nearest_pass_and_neighbours_do_not(checks, rng):
    weight = rng.normal(size=50).astype(np.float32)
    weight[16:32] = 0
    good = nf4_by_hand(checks, weight, 16)
    checks.lowrank.check_nf4(Expect(), good, weight, 16, "by hand")
    for _ in range(5):
        bad, at = good["codes"].copy(), int(rng.integers(50))
        bad[at] += 1 if bad[at] < 15 else -1
        with pytest.raises(CheckFailed, match="another is nearer"):
            checks.lowrank.check_nf4(Expect(), good | {"codes": bad}, weight, 16, "off by one")
    with pytest.raises(CheckFailed, match="scales"):
        checks.lowrank.check_nf4(Expect(), good | {"scales": good["scales"] * 1.01}, weight, 16, "wrong scales")


def test_scales_of_scales_are_held_to_half_a_step(checks, rng):
    scales = rng.lognormal(size=20).astype(np.float32)
    mean = float(scales.mean())
    absmax = np.float32([np.abs(scales[at : at + 8] - mean).max() for at in (0, 8, 16)])
    whole = np.repeat(absmax, 8)[:20]
    codes = np.round(127 * (scales - mean) / whole).astype(np.int8)
    good = {"codes": codes, "absmax": absmax, "mean": mean, "back": np.float32(codes / 127 * whole + mean)}
    checks.lowrank.check_scales(Expect(), good, scales, 8, "good")
    off = codes + np.where(codes < 127, 1, -1).astype(np.int8)
    bad = good | {"codes": off, "back": np.float32(off / 127 * whole + mean)}
    with pytest.raises(CheckFailed, match="steps"):
        checks.lowrank.check_scales(Expect(), bad, scales, 8, "one step off")


# ---- Task 7: caches


def kivi_by_hand(k: Any, v: Any, *, bits: int, group: int, residual: int) -> dict[str, Any]:
    """Keys block by block, values token by token."""
    heads, tokens, dim = k.shape
    stored: dict[str, Any] = {}
    old = {"k": tokens // residual * residual, "v": max(tokens - residual, 0)}
    read = {"k": k.copy(), "v": v.copy()}
    for which, x, axis in (("k", k, 1), ("v", v, 2)):
        shape = (heads, old["k"] // group, dim) if which == "k" else (heads, old["v"], dim // group)
        scale, zero, codes = (
            np.zeros(shape, x.dtype),
            np.zeros(shape, x.dtype),
            np.zeros((heads, old[which], dim), np.uint8),
        )
        for at in np.ndindex(shape):
            cut = [slice(i, i + 1) for i in at]
            cut[axis] = slice(at[axis] * group, at[axis] * group + group)
            part = x[tuple(cut)]
            zero[at], scale[at] = part.min(), (part.max() - part.min()) / (2**bits - 1)
            codes[tuple(cut)] = np.round((part - zero[at]) / (scale[at] or 1))
            read[which][tuple(cut)] = codes[tuple(cut)] * scale[at] + zero[at]
        parts = {"codes": codes, "scale": scale, "zero": zero, "recent": x[:, old[which] :]}
        stored |= {f"{which}_{name}": one for name, one in parts.items()}
    return {"stored": stored} | read


def test_a_cache_by_hand_passes_and_a_changed_one_does_not(checks, rng):
    sizes = {"bits": 2, "group": 4, "residual": 8}
    for tokens in (3, 8, 21):
        k, v = (rng.normal(size=(2, tokens, 8)).astype(np.float32) for _ in "kv")
        state = kivi_by_hand(k, v, **sizes)
        checks.kv.check_kivi(Expect(), state, (k, v), sizes, "by hand")
        for name in checks.kv.PARTS:
            if state["stored"][name].size:
                part = state["stored"][name].copy()
                part.flat[0] += 1
                with pytest.raises(CheckFailed):
                    checks.kv.check_kivi(
                        Expect(), state | {"stored": state["stored"] | {name: part}}, (k, v), sizes, ""
                    )
    numbers = sum(one.size for name, one in state["stored"].items() if "codes" not in name)
    codes = sum(one.size for name, one in state["stored"].items() if "codes" in name)
    assert checks.kv.counted_bytes(state["stored"], 2) == 2 * numbers + codes / 4


def test_turns_and_attention_are_those_of_the_library_and_of_torch(checks, rng, held):
    x, at = rng.normal(size=(3, 5, 8)), rng.integers(0, 50, size=5)
    want = rope(torch.from_numpy(x), torch.from_numpy(at), 10_000.0).numpy()
    held("lab 3, rotary positions", "mlsys_core rope", checks.kv.turned(x, at), want, 1e-12)
    q, k, v = (rng.normal(size=(2, n, 8)) for n in (3, 7, 7))
    want = functional.scaled_dot_product_attention(*(torch.from_numpy(one) for one in (q, k, v))).numpy()
    held("lab 3, attention", "torch SDPA", checks.kv.attention(q, k, v), want, 1e-12)


def test_heavy_hitters_are_those_of_a_matrix_with_a_moving_mask(checks, rng):
    scores, budget, recent = torch.from_numpy(rng.normal(size=(40, 40)) * 2), 9, 3
    alive, totals = torch.zeros(40, dtype=torch.bool), torch.zeros(40, dtype=torch.float64)
    for token in range(40):
        alive[token] = True
        totals += torch.softmax(scores[token].masked_fill(~alive, -math.inf), 0)
        if alive.sum() > budget:
            may = alive & (torch.arange(40) <= token - recent)
            alive[totals.masked_fill(~may, math.inf).argmin()] = False
    assert checks.kv.heavy(scores.numpy(), budget, recent) == alive.nonzero()[:, 0].tolist()


def test_snapkvs_choice_is_torchs_pooling_and_topk(checks, rng):
    q, k = rng.normal(size=(2, 5, 8)), rng.normal(size=(2, 40, 8))
    scores = torch.from_numpy(q @ k.swapaxes(1, 2) / math.sqrt(8))
    scores[:, :, 35:] = scores[:, :, 35:].masked_fill(torch.ones(5, 5).triu(1).bool(), -math.inf)
    votes = torch.softmax(scores, -1)[..., :35].sum(1, keepdim=True)
    top = functional.avg_pool1d(votes, 5, stride=1, padding=2)[:, 0].topk(7, -1).indices.sort(-1).values
    found = checks.needles.chosen(q, k, 12, 5)
    assert (found[:, :7] == top.numpy()).all()
    assert (found[:, 7:] == np.arange(35, 40)).all()


def test_a_buffer_in_any_other_order_is_seen(checks, rng):
    k, v, q = (rng.normal(size=(2, 9, 8)).astype(np.float32) for _ in "kvq")
    given = {"k": k, "v": v, "q": q, "sinks": 1, "window": 3}
    slots, order = [0, 7, 8, 6], [0, 6, 7, 8]  # nine tokens: the window's three places were filled by 1 2 3, 4 5 6, 7 8
    keys = checks.kv.turned(k[:, order], np.arange(4))
    out = checks.kv.attention(checks.kv.turned(q[:, 8:9], np.array([3])), keys, v[:, order])[:, 0]
    state = {
        "buffer_k": k[:, slots],
        "buffer_v": v[:, slots],
        "k": np.float32(keys),
        "v": v[:, order],
        "out": np.float32(out),
    }
    checks.kv.check_streaming(Expect(), state, 9, given)
    for name in state:
        with pytest.raises(CheckFailed):
            checks.kv.check_streaming(Expect(), state | {name: state[name][:, ::-1].copy()}, 9, given)


def test_attention_over_codes_is_torchs_over_the_numbers_that_they_stand_for(checks, rng, held):
    arrays = checks.needles.cache(rng, batch=2, heads=4, kv_heads=2, n=128, d=32)
    q, k_codes, k_scale, k_zero, v_codes, v_scale, v_zero = (torch.from_numpy(one).double() for one in arrays)
    k, v = (torch.cat((one % 16, one.div(16, rounding_mode="floor")), -1) for one in (k_codes, v_codes))
    k = k.unflatten(2, (2, 64)) * k_scale[:, :, :, None] + k_zero[:, :, :, None]
    v = v * v_scale[..., None] + v_zero[..., None]
    want = functional.scaled_dot_product_attention(q[:, :, None], k.flatten(2, 3), v, enable_gqa=True)[:, :, 0]
    held("lab 3, attention over four bits", "torch SDPA", checks.needles.decoded(arrays), want.numpy(), 1e-11)


def test_a_haystack_has_four_needles_a_head_that_fit_into_a_fifth(checks, rng):
    q, k, needles = checks.needles.haystack(rng, heads=3, tokens=400, window=16, dim=32)
    assert (q.shape, k.shape, needles.shape) == ((3, 16, 32), (3, 400, 32), (3, 400))
    assert (needles.sum(1) == 36).all()
    assert not needles[:, -16:].any()


# ---- Task 8: what is stored


def packed(rng: np.random.Generator) -> dict[str, Any]:
    """One stored weight with all parts."""
    arrays = {name: rng.normal(size=shape).astype(np.float16) for name, shape in (("scale", (4, 2)), ("zero", (4, 2)))}
    factors = {"a": rng.normal(size=(4, 1)).astype(np.float16), "b": rng.normal(size=(1, 6)).astype(np.float16)}
    codes = rng.integers(0, 4, size=(4, 6), dtype=np.uint8)
    return {"bits": 2, "codes": codes, "mask": rng.random((4, 6)) < 0.5} | arrays | factors


def test_a_stored_weight_is_what_the_table_says_weight_by_weight(checks, rng):
    one = packed(rng)
    weight, size = checks.stored.looked_at(Expect(), one, (4, 6), "w")
    for row, column in np.ndindex(4, 6):
        scale, zero = (float(one[name][row, column // 3]) for name in ("scale", "zero"))
        value = (int(one["codes"][row, column]) * scale + zero) * bool(one["mask"][row, column])
        assert weight[row, column] == pytest.approx(
            value + float(one["a"][row, 0]) * float(one["b"][0, column]), abs=1e-5
        )
    assert size == one["mask"].sum() * 2 / 8 + 24 / 8 + 2 * (8 + 8 + 4 + 6)
    bare = {name: one[name] for name in ("bits", "codes", "scale", "zero")}
    assert checks.stored.looked_at(Expect(), bare, (4, 6), "w")[1] == 24 * 2 / 8 + 2 * 16


@pytest.mark.parametrize(
    "change",
    [
        {"bits": 1},
        {"bits": 9},
        {"bits": True},
        {"scale": np.ones((4, 4), np.float16)},
        {"zero": np.ones((4, 3), np.float16)},
        {"scale": np.full((4, 2), np.inf, np.float16)},
        {"scale": np.ones((4, 2), np.float32)},
        {"codes": np.zeros((4, 6), np.int8)},
        {"mask": np.ones((4, 6), np.uint8)},
        {"b": np.ones((2, 6), np.float16)},
        {"b": None},
        {"more": 1},
    ],
)
def test_what_the_table_does_not_allow_is_refused_with_a_sentence(checks, change):
    one = packed(np.random.default_rng(0)) | change
    one["codes"].flat[0] = 3
    with pytest.raises(CheckFailed, match="w:"):
        checks.stored.looked_at(Expect(), one, (4, 6), "w")


def test_the_area_is_that_of_a_fine_grid(checks, rng):
    points = [
        (float(size), float(loss))
        for size, loss in zip(rng.uniform(30, 1200, 7), rng.uniform(-0.02, 0.28, 7), strict=True)
    ]
    halvings, nats = np.meshgrid((np.arange(800) + 0.5) / 200, (np.arange(400) + 0.5) / 2000)
    inside = np.zeros_like(halvings, bool)
    for size, loss in points:
        inside |= (halvings < math.log2(1000 / size)) & (nats > loss)
    assert checks.area.dominated(points, 1000.0) == pytest.approx(inside.mean(), abs=4e-3)
    assert checks.area.dominated([(2000.0, 0.0)], 1000.0) == 0.0
    assert checks.area.dominated([(1.0, -1.0)], 1000.0) == 1.0
