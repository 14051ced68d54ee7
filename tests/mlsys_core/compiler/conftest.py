"""One folder of built libraries for a run of the tests, and a skip where nothing can be built."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlsys_core.compiler.build import CompilerError, compiler_command
from tests.support import require


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where libraries are built."""
    try:
        compiler_command()
    except CompilerError as error:
        require("compiler", str(error))
    return tmp_path_factory.mktemp("built")
