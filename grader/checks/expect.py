"""Comparing what a student's code returned with what was expected: strict about type, dtype, shape and finiteness, then by value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SHOWN_VALUES = 6


@dataclass(frozen=True)
class Difference:
    """Expected beside got, as text for a table. `mismatches` are indices into `got_values`."""

    what: str
    expected_shape: str
    expected_dtype: str
    expected_values: tuple[str, ...]
    got_shape: str
    got_dtype: str
    got_values: tuple[str, ...]
    mismatches: tuple[int, ...]
    max_error: str = ""
    tolerance: str = ""


class CheckFailed(AssertionError):  # noqa: N818 - a finding about the student's code, not a fault of ours
    """A check's assertion did not hold. The message is a sentence for the student."""

    def __init__(self, message: str, difference: Difference | None = None) -> None:
        super().__init__(message)
        self.difference = difference


class Expect:
    """The `expect` fixture."""

    def that(self, condition: object, message: str) -> None:
        """`condition` must be true; `message` tells the student what does not hold."""
        if not condition:
            raise CheckFailed(message)

    def equal(self, got: Any, want: Any, what: str = "result") -> None:
        """Equal as plain values (numbers, strings, lists), of the same type."""
        if isinstance(want, np.ndarray):
            self.close(got, want, what, rtol=0.0, atol=0.0)
        elif not _same(got, want):
            raise CheckFailed(f"{what}: expected {_clip(want)}, got {_clip(got)}")

    def close(self, got: Any, want: Any, what: str = "result", rtol: float = 1e-9, atol: float = 1e-9) -> None:
        """`|got - want| <= atol + rtol |want|` element by element, after type, dtype, shape and finiteness agree.

        `want` is an array or a number; a number asks for a 0-d array or a number of the same kind.
        """
        expected = np.asarray(want)
        actual = _as_array(got, what)
        difference = _Comparison(actual, expected, what, rtol, atol)
        problem = difference.problem()
        if problem:
            raise CheckFailed(problem, difference.table())

    def near(
        self, got: Any, reference: np.ndarray, dtype: str, what: str = "result", *, roundings: float = 16.0
    ) -> None:
        """As close to a float64 `reference` as arithmetic in `dtype` comes: within that many roundings of the largest value.

        A result of n terms that were added in any order is within about sqrt(n) roundings. The tolerance follows from the dtype, so that
        less precise arithmetic inside is seen and a different order of additions is not.
        """
        exact = np.asarray(reference, np.float64)
        largest = float(np.abs(exact[np.isfinite(exact)]).max(initial=0.0))
        tolerance = roundings * float(np.finfo(dtype).eps) * largest
        self.close(got, exact.astype(dtype), what, rtol=0.0, atol=tolerance)


def _same(got: Any, want: Any) -> bool:
    """Equal, and of the same types all the way down; arrays within by every element."""
    if type(got) is not type(want):
        return False
    if isinstance(want, np.ndarray):
        return got.dtype == want.dtype and got.shape == want.shape and bool(np.array_equal(got, want))
    if isinstance(want, dict):
        return got.keys() == want.keys() and all(_same(got[key], want[key]) for key in want)
    if isinstance(want, (list, tuple)):
        return len(got) == len(want) and all(map(_same, got, want))
    return bool(got == want)


def _as_array(got: Any, what: str) -> np.ndarray:
    if isinstance(got, np.ndarray):
        return got
    if isinstance(got, (bool, float)) or (isinstance(got, int) and abs(got) < 1 << 63):
        return np.asarray(got)
    if isinstance(got, int):
        raise CheckFailed(f"{what}: returned a number of {got.bit_length()} bits, expected an array")
    kind = "nothing" if got is None else f"a {type(got).__name__}"
    raise CheckFailed(f"{what}: returned {kind}, expected an array")


class _Comparison:
    def __init__(self, got: np.ndarray, want: np.ndarray, what: str, rtol: float, atol: float) -> None:
        self.got, self.want, self.what = got, want, what
        self.rtol, self.atol = rtol, atol

    def problem(self) -> str:
        """A sentence that names the first thing that is wrong, or nothing."""
        if self.got.shape != self.want.shape or self.got.dtype != self.want.dtype:
            return f"{self.what}: returned {describe(self.got)}, expected {describe(self.want)}"
        wrong = self._wrong()
        if not wrong.any():
            return ""
        if not np.isfinite(self.got[wrong]).all() and np.isfinite(self.want).all():
            return f"{self.what}: has {int((~np.isfinite(self.got)).sum())} values that are not finite numbers"
        return f"{self.what}: largest error {self._max_error()}, tolerance {self._tolerance()}"

    def table(self) -> Difference:
        """Both sides as text, a window of values that holds the first wrong one."""
        same_shape = self.got.shape == self.want.shape
        wrong = np.flatnonzero(self._wrong()) if same_shape else np.arange(min(self.got.size, SHOWN_VALUES))
        start = max(0, int(wrong[0]) - SHOWN_VALUES // 2) if same_shape and wrong.size else 0
        window = slice(start, start + SHOWN_VALUES)
        shown = [int(i) - start for i in wrong if start <= i < start + SHOWN_VALUES]
        return Difference(
            what=self.what,
            expected_shape=str(self.want.shape),
            expected_dtype=str(self.want.dtype),
            expected_values=_texts(self.want, window),
            got_shape=str(self.got.shape),
            got_dtype=str(self.got.dtype),
            got_values=_texts(self.got, window),
            mismatches=tuple(shown),
            max_error=self._max_error() if same_shape else "",
            tolerance=self._tolerance(),
        )

    def _wrong(self) -> np.ndarray:
        with np.errstate(all="ignore"):
            near = np.isclose(self.got, self.want, rtol=self.rtol, atol=self.atol, equal_nan=True)
        return ~np.asarray(near)

    def _max_error(self) -> str:
        with np.errstate(all="ignore"):
            wide = np.complex128 if self.got.dtype.kind == "c" or self.want.dtype.kind == "c" else np.float64
            errors = np.abs(np.subtract(self.got, self.want, dtype=wide)) if self.got.size else np.zeros(1)
        finite = errors[np.isfinite(errors)]
        return f"{finite.max():.3g}" if finite.size == errors.size else "not finite"

    def _tolerance(self) -> str:
        return f"{self.atol:.0e}".replace("e-0", "e-") if self.atol else "exact"


def describe(array: np.ndarray) -> str:
    """`float64 (4, 3)`."""
    return f"{array.dtype} {array.shape}"


def _texts(array: np.ndarray, window: slice) -> tuple[str, ...]:
    flat = array.reshape(-1)
    texts = [f"{value:.4g}" if array.dtype.kind == "f" else str(value) for value in flat[window]]
    return (*texts, "…") if flat.size > (window.stop or 0) else tuple(texts)


def _clip(value: Any, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
