"""From C text to a function that takes arrays: the machine's compiler, a cache of what it made, and a call that checks its arguments.

Idea      A library is named by a hash of all that decides its contents, so it is built once a machine, and a change of anything gives
          another name. Whoever builds writes to a name of his own first and renames: others see a whole library or none.
Equation  name = SHA-256(source, flags, compiler and what it says of this CPU)
Paper     E. Dolstra, "The purely functional software deployment model", PhD thesis, Utrecht, 2006 (names from contents).
Cost      0.1 to 0.5 s the first time, a lookup after that.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from mlsys_core.compiler.codegen_c import arguments, generate
from mlsys_core.compiler.ir import Program, Tensor
from mlsys_core.host_compiler import compiler_names, find_compiler

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
# the same for every nest, naive or tuned; -fwrapv: whole numbers wrap around as numpy's do
FLAGS = ("-O3", "-march=native", "-std=gnu11", "-fwrapv", "-shared", "-fPIC")


class CompilerError(RuntimeError):
    """The machine's compiler is missing or refused what it was given; the text says what to do."""


def compiler_command() -> str:
    """The C compiler of this machine; raises CompilerError where there is none."""
    found = find_compiler()
    if found is None:
        raise CompilerError(
            f"No C compiler was found ({', '.join(compiler_names())}), so nothing can be built here. "
            "Install gcc or clang, or set CC to one."
        )
    return found


def default_cache() -> Path:
    """Where built libraries are kept: in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlsys_core" / "compiler"


@cache
def target(command: str) -> tuple[str, int]:
    """What a compiler says of itself and of this machine, hashed, and the bytes of this machine's vectors."""
    told = _ask([command, *FLAGS[:2], "-dM", "-E", "-x", "c", os.devnull])
    widths = {"__AVX512F__": 64, "__AVX__": 32}
    wide = next((size for macro, size in widths.items() if f"#define {macro} " in told), 16)
    return hashlib.sha256(told.encode()).hexdigest(), wide


def _ask(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the machine's compiler
    if done.returncode:
        raise CompilerError(f"{' '.join(command)} failed, so nothing was built:\n{done.stderr[:2000]}")
    return done.stdout


@dataclass(frozen=True)
class Kernel:
    """A built program: call it with its inputs by name. `source` is its C text."""

    program: Program
    source: str
    function: Any

    def __call__(self, **inputs: Array) -> dict[str, Array]:
        """New arrays of the outputs, by name. Raises ValueError where an input is not what the program was built for."""
        held = self.allocate(**inputs)
        self.run(held)
        return {tensor.name: held[tensor.name] for tensor in self.program.outputs}

    def allocate(self, **inputs: Array) -> dict[str, Array]:
        """All arguments in order: these inputs, checked, with memory for outputs and workspaces."""
        if set(inputs) != {tensor.name for tensor in self.program.inputs}:
            raise ValueError(
                f"The inputs are {[t.name for t in self.program.inputs]}, and it was given {list(inputs)}."
            )
        for tensor in self.program.inputs:
            _check(tensor, inputs[tensor.name])
        made = {t.name: np.empty(t.shape, t.dtype) for t in arguments(self.program) if t.name not in inputs}
        return {t.name: inputs[t.name] if t.name in inputs else made[t.name] for t in arguments(self.program)}

    def run(self, held: dict[str, Array]) -> None:
        """Runs on what `allocate` returned, again and again where it is timed."""
        self.function(*(array.ctypes.data_as(ctypes.c_void_p) for array in held.values()))


def _check(tensor: Tensor, array: Array) -> None:
    if array.shape != tensor.shape or array.dtype != tensor.dtype or not array.flags.c_contiguous:
        raise ValueError(
            f"{tensor.name} has to be a C-contiguous {tensor.dtype} array of shape {tensor.shape}, "
            f"and is {array.dtype} of shape {array.shape}; the program was built for that alone."
        )


def build(*programs: Program, folder: Path | None = None) -> list[Kernel]:
    """Builds programs of different names as one library, or finds it in the cache folder.

    Raises CompilerError where there is no compiler.
    """
    _, wide = target(compiler_command())
    sources = [generate(program, vector_bytes=wide) for program in programs]
    library = build_library(sources, folder or default_cache())
    return [
        Kernel(program, source, _function(library, program)) for program, source in zip(programs, sources, strict=True)
    ]


def build_library(sources: Sequence[str], folder: Path) -> ctypes.CDLL:
    """Builds C texts as one library with `FLAGS`, or finds it in the folder. Raises CompilerError where that cannot be done."""
    command = compiler_command()
    flags = [*FLAGS, *(["-fopenmp"] if any("#pragma omp" in source for source in sources) else [])]
    key = hashlib.sha256("\0".join([*sources, *flags, command, target(command)[0]]).encode()).hexdigest()[:32]
    path = folder / f"{key}.so"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:
            files = [Path(own) / f"{n}.c" for n in range(len(sources))]
            for file, source in zip(files, sources, strict=True):
                file.write_text(source)
            _ask([command, *flags, "-o", f"{own}/built.so", *map(str, files), "-lm"])
            Path(f"{own}/built.so").replace(path)
    return ctypes.CDLL(str(path))


def _function(library: ctypes.CDLL, program: Program) -> Any:
    function = getattr(library, program.name)
    function.restype, function.argtypes = None, [ctypes.c_void_p] * len(arguments(program))
    return function
