"""Scaling laws come back from data that they made, and their optimum is the optimum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares, minimize, minimize_scalar
from torch.nn import functional as F  # noqa: N812

from mlsys_core.workloads.scaling import CHINCHILLA, Run, ScalingLaw, fit, huber, objective, spread, starts


def laws():
    """Laws whose two terms both matter between 10 M and 10 G parameters and 1 G and 1 T tokens."""

    def made(constant, n_part, d_part, alpha, beta):
        return ScalingLaw(constant, n_part * 3e8**alpha, d_part * 3e10**beta, alpha, beta)

    part, exponent = st.floats(0.2, 1.0), st.floats(0.2, 0.6)
    return st.builds(made, st.floats(0.8, 2.5), part, part, exponent, exponent)


def runs_of(law, noise, seed, sizes=6):
    """A grid of runs with losses off by a factor e^(noise · normal)."""
    rng = np.random.default_rng(seed)
    grid = [(n, d) for n in np.geomspace(1e7, 1e10, sizes) for d in np.geomspace(1e9, 1e12, sizes)]
    return [Run(n, d, float(law.loss(n, d) * np.exp(noise * rng.standard_normal()))) for n, d in grid]


def constants(law):
    """Of the law, the factors by their logarithms, which is how they enter."""
    return np.array([law.E, np.log(law.A), np.log(law.B), law.alpha, law.beta])


@given(laws(), st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
def test_a_law_is_found_again_in_its_own_losses(law, seed):
    assert constants(fit(runs_of(law, 0, seed))) == pytest.approx(constants(law), rel=1e-4)


@given(laws(), st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
def test_a_thousandth_of_noise_leaves_exponents_and_predictions_near(law, seed):
    found = fit(runs_of(law, 1e-3, seed, sizes=8))
    assert (found.alpha, found.beta) == pytest.approx((law.alpha, law.beta), abs=0.05)
    assert found.loss(3e10, 3e12) == pytest.approx(law.loss(3e10, 3e12), rel=0.02), "three times beyond the data"


def test_one_run_that_went_wrong_hardly_moves_the_fit():
    """A loss of double the size moves a fit by squares, and Huber's loss holds on."""
    runs = runs_of(CHINCHILLA, 1e-3, 1)
    broken = [*runs[:-8], Run(runs[-8].parameters, runs[-8].tokens, 2 * runs[-8].loss), *runs[-7:]]
    found, squares = fit(broken), fit(broken, delta=100.0)
    assert abs(found.alpha - CHINCHILLA.alpha) < 0.01
    assert abs(found.loss(1e10, 1e12) / CHINCHILLA.loss(1e10, 1e12) - 1) < 0.003
    assert abs(squares.loss(1e10, 1e12) / CHINCHILLA.loss(1e10, 1e12) - 1) > 0.01


@given(st.integers(0, 10**6), st.floats(1e-3, 0.5))
@settings(max_examples=20, deadline=None)
def test_the_objective_is_torchs_huber_loss_and_its_gradient_torchs(seed, delta):
    rng = np.random.default_rng(seed)
    theta, (log_n, log_d, log_loss) = rng.standard_normal(5), rng.standard_normal((3, 7))
    value, gradient = objective(theta, log_n, log_d, log_loss, delta)
    a, b, e, alpha, beta = at = torch.tensor(theta, requires_grad=True)
    n, d, wanted = (torch.tensor(x) for x in (log_n, log_d, log_loss))
    predicted = torch.logsumexp(torch.stack([a - alpha * n, b - beta * d, e.expand(7)]), dim=0)
    expected = F.huber_loss(predicted, wanted, reduction="sum", delta=delta)
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-12)
    assert gradient == pytest.approx(at.grad.numpy(), rel=1e-10, abs=1e-12)


@given(st.floats(-3, 3), st.floats(0.01, 2))
@settings(max_examples=60, deadline=None)
def test_hubers_loss_is_torchs(residual, delta):
    value, slope = huber(np.array([residual]), delta)
    x = torch.tensor([residual], dtype=torch.float64, requires_grad=True)
    expected = F.huber_loss(x, torch.zeros(1, dtype=torch.float64), delta=delta)
    expected.backward()
    assert value[0] == pytest.approx(expected.item(), rel=1e-12, abs=1e-300)
    assert slope[0] == pytest.approx(x.grad.item(), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_search_finds_a_better_fit(seed):
    """scipy's trust-region least squares with Huber's loss, begun at the truth, ends no lower."""
    runs, delta = runs_of(CHINCHILLA, 0.02, seed, sizes=5), 1e-3
    log_n, log_d, log_loss = np.log([[r.parameters, r.tokens, r.loss] for r in runs]).T

    def residuals(theta):
        a, b, e, alpha, beta = theta
        return np.log(np.exp(a - alpha * log_n) + np.exp(b - beta * log_d) + np.exp(e)) - log_loss

    c = CHINCHILLA
    start = [np.log(c.A), np.log(c.B), np.log(c.E), c.alpha, c.beta]
    other = least_squares(residuals, start, loss="huber", f_scale=delta, x_scale=np.abs(start), max_nfev=400)
    found = fit(runs, delta=delta)
    ours = np.array([np.log(found.A), np.log(found.B), np.log(found.E), found.alpha, found.beta])
    values = [objective(theta, log_n, log_d, log_loss, delta)[0] for theta in (ours, other.x)]
    assert values[0] <= values[1] * (1 + 1e-6)


# losses of a ladder of real runs (tests/benchmarks/scaling_laws.py), with 12,800 to 102,400 characters a row
LADDER = {
    24_704: (2.850, 2.624, 2.423, 2.300),
    58_656: (2.675, 2.489, 2.381, 2.266),
    94_336: (2.688, 2.528, 2.379, 2.258),
}


def test_of_all_starts_the_best_counts():
    """On these real runs some searches stop in a worse hollow than others."""
    runs = [Run(n, 12_800 * 2**i, loss) for n, losses in LADDER.items() for i, loss in enumerate(losses)]
    log_n, log_d, log_loss = np.log([[r.parameters, r.tokens, r.loss] for r in runs]).T
    arguments = (log_n - log_n.mean(), log_d - log_d.mean(), log_loss, 1e-3)
    ends = [minimize(objective, x, arguments, method="L-BFGS-B", jac=True).fun for x in starts(log_loss)]
    law = fit(runs)
    theta = np.array([np.log(law.A), np.log(law.B), np.log(law.E), law.alpha, law.beta])
    found = objective(theta, log_n, log_d, log_loss, 1e-3)[0]
    assert found <= min(ends) * (1 + 1e-3)
    assert found < 0.9 * max(ends)


@given(laws(), st.floats(17, 26))
@settings(max_examples=40, deadline=None)
def test_the_closed_form_is_where_the_loss_is_least_at_this_budget(law, exponent):
    flops = 10**exponent
    parameters, tokens = law.optimum(flops)
    assert 6 * parameters * tokens == pytest.approx(flops, rel=1e-9)
    searched = minimize_scalar(
        lambda log_n: float(law.loss(np.exp(log_n), flops / 6 / np.exp(log_n))),
        bounds=(np.log(parameters) - 5, np.log(parameters) + 5),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert law.loss(parameters, tokens) <= searched.fun * (1 + 1e-12)
    assert np.log(parameters) == pytest.approx(searched.x, abs=1e-3)


def test_more_compute_goes_to_both_in_the_proportion_of_the_exponents():
    one, ten = CHINCHILLA.optimum(1e21), CHINCHILLA.optimum(1e22)
    assert np.log10(ten[0] / one[0]) == pytest.approx(0.28 / 0.62)
    assert np.log10(ten[1] / one[1]) == pytest.approx(0.34 / 0.62)


def test_drawing_runs_again_shows_how_little_noisy_runs_say():
    quiet, noisy = (spread(runs_of(CHINCHILLA, noise, 3, sizes=4), resamples=3, delta=1e-2) for noise in (1e-4, 3e-2))
    widths = [np.ptp([law.alpha for law in found]) for found in (quiet, noisy)]
    assert widths[0] < widths[1] / 10
    assert len(quiet) == 3


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [Run(1e6, 1e8 * k, 3.0 / k) for k in range(1, 9)],
        [Run(1e6 * k, 1e8, 3.0 / k) for k in range(1, 9)],
        [Run(1e6 * k, 1e8 * k, 3.0) for k in range(1, 5)],
    ],
)
def test_runs_that_cannot_tell_five_constants_are_refused(runs):
    with pytest.raises(ValueError, match="Five constants cannot be told"):
        fit(runs)
