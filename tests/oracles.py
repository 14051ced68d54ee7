"""The table of what mlsys_core is held against: topic, oracle, worst error, tolerance; printed at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Held = Callable[..., None]


def difference(found: Any, expected: Any) -> float:
    """The largest |found - expected| / max(1, |expected|) over arrays, or over lists and dicts of them of the same form."""
    if isinstance(expected, dict):
        assert set(found) == set(expected)
        return max((difference(found[key], expected[key]) for key in expected), default=0.0)
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        return max((difference(a, b) for a, b in zip(found, expected, strict=True)), default=0.0)
    a, b = _array(found), _array(expected)
    assert a.shape == b.shape
    if not a.size:
        return 0.0
    assert np.isfinite(a).all() == np.isfinite(b).all()
    return float(np.max(np.abs(a - b) / np.maximum(1.0, np.abs(b))))


def _array(values: Any) -> np.ndarray:
    """Numbers, or a tensor of any type on any device, in 64 bits."""
    return np.asarray(values.detach().cpu().double() if hasattr(values, "detach") else values, dtype=np.float64)


@pytest.fixture
def held(request: pytest.FixtureRequest) -> Held:
    """`held(topic, oracle, found, expected, tolerance)`: they differ by no more; the error goes into the table."""

    def check(topic: str, oracle: str, found: Any, expected: Any, tolerance: float) -> None:
        error = difference(found, expected)
        request.node.user_properties.append(("oracle", [topic, oracle, error, float(tolerance)]))
        assert error <= tolerance, f"{topic} against {oracle}: {error:.3g} is more than {tolerance:g}"

    return check


def table(rows: list[list[Any]]) -> list[str]:
    """Lines of the table, the worst error of each topic and oracle."""
    worst: dict[tuple[str, str], tuple[float, float]] = {}
    for topic, oracle, error, tolerance in rows:
        before = worst.get((topic, oracle))
        if before is None or error / max(tolerance, 1e-300) >= before[0] / max(before[1], 1e-300):
            worst[topic, oracle] = (error, tolerance)
    lines = [f"{'topic':34} {'oracle':44} {'worst error':>12} {'tolerance':>10}"]
    return lines + [f"{t:34} {o:44} {e:12.2e} {tol:10.0e}" for (t, o), (e, tol) in sorted(worst.items())]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the table where some test was held against an oracle."""
    rows = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in report.user_properties
        if name == "oracle"
    ]
    if rows:
        terminalreporter.section("mlsys_core and its oracles")
        for line in table(rows):
            terminalreporter.write_line(line)
