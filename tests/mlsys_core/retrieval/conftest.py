"""Every scan and walk is tested twice: in C, and as on a machine without a compiler."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mlsys_core.retrieval import native
from tests.support import require


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """From its call on, this machine has no compiler that works."""

    def take_away() -> None:
        monkeypatch.setenv("CC", "no-such-compiler")
        native.library.cache_clear()
        assert native.library() is None

    yield take_away
    native.library.cache_clear()


@pytest.fixture(params=["C", "numpy"])
def loops(request: pytest.FixtureRequest, without_compiler: Callable[[], None]) -> str:
    """Which loops run."""
    if request.param == "numpy":
        without_compiler()
    elif native.library() is None:
        require("compiler", "No C compiler was found, or it refused the loops.")
    return request.param
