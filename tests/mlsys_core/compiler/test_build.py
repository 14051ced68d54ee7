"""Libraries are built once, whole or not at all, by whoever comes first; and what goes wrong is said in words."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mlsys_core.compiler import build as building
from mlsys_core.compiler.build import CompilerError, build, compiler_command, default_cache
from mlsys_core.compiler.schedule import Schedule
from tests.mlsys_core.compiler.draws import inputs_of, product


@pytest.fixture
def counted(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that writes a line to a file for each library that it is asked for."""
    real, script, count = compiler_command(), tmp_path / "counted-cc", tmp_path / "count"
    script.write_text(f'#!/bin/sh\ncase "$*" in *built.so*) echo built >> {count};; esac\nexec {real} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(script))
    count.touch()
    return count


def test_a_library_is_built_once_and_found_again(counted, tmp_path):
    schedule = Schedule(product(3, 4, 5, "int32"))
    (first,) = build(schedule.lower(), folder=tmp_path / "cache")
    (second,) = build(schedule.lower(), folder=tmp_path / "cache")
    assert counted.read_text() == "built\n"
    inputs = inputs_of(schedule, 0)
    np.testing.assert_array_equal(first(**inputs)["C"], second(**inputs)["C"])
    schedule["C"].parallel("i")
    build(schedule.lower(), folder=tmp_path / "cache")
    assert counted.read_text() == "built\nbuilt\n"


def test_builders_that_meet_leave_one_whole_library(counted, tmp_path):
    schedule = Schedule(product(3, 4, 6, "int32"))
    inputs, cache = inputs_of(schedule, 0), tmp_path / "cache"
    with ThreadPoolExecutor(3) as pool:
        kernels = [one for made in pool.map(lambda _: build(schedule.lower(), folder=cache), range(3)) for one in made]
    for kernel in kernels:
        np.testing.assert_array_equal(kernel(**inputs)["C"], inputs["A"] @ inputs["B"])
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def test_a_machine_without_a_compiler_gets_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(CompilerError, match=r"No C compiler was found .* Install gcc or clang, or set CC"):
        build(Schedule(product(2, 2, 2, "int32")).lower(), folder=tmp_path)
    monkeypatch.setenv("CC", "no-such-cc")
    with pytest.raises(CompilerError, match=r"No C compiler was found \(no-such-cc\)"):
        compiler_command()


def test_a_compiler_that_fails_leaves_nothing_behind(counted, tmp_path, monkeypatch):
    monkeypatch.setattr(building, "generate", lambda *_, **__: "this is not C")
    with pytest.raises(CompilerError, match=r"nothing was built:(.|\n)*error"):
        build(Schedule(product(2, 2, 2, "int32")).lower(), folder=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_kernel_takes_what_it_was_built_for_and_nothing_else(folder):
    schedule = Schedule(product(3, 4, 5, "float32"))
    (kernel,) = build(schedule.lower(), folder=folder)
    inputs = inputs_of(schedule, 0)
    with pytest.raises(ValueError, match=r"A has to be a C-contiguous float32 array of shape \(3, 4\), and is float64"):
        kernel(**{**inputs, "A": inputs["A"].astype(np.float64)})
    with pytest.raises(ValueError, match=r"of shape \(4, 3\)"):
        kernel(**{**inputs, "A": np.ascontiguousarray(inputs["A"].T)})
    with pytest.raises(ValueError, match="C-contiguous"):
        kernel(**{**inputs, "A": np.asfortranarray(inputs["A"])})
    with pytest.raises(ValueError, match="The inputs are"):
        kernel(A=inputs["A"])


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "mlsys_core" / "compiler"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "mlsys_core" / "compiler"
