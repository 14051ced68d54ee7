"""A Triton module for a schedule: parallel loops become the grid, the innermost blocks become tiles, and masks cut the remainders.

Idea      The same steps say something else on a GPU. A program of the grid is one iteration of the parallel loops; the inner halves of
          splits, which stand innermost, are run at once as the dimensions of a tile; what is between is a loop in the program. A sum of
          products over one tile axis is `tl.dot`. Tiles stay in registers and shared memory by Triton's own choice, so `pack` and `hold`
          say nothing.
Equation  C tile = Σ_k0 dot(A[i, k], B[k, j]),  i = i0·I_1 + (0 … I_1 - 1),  masked where i ≥ m
Paper     P. Tillet, H. T. Kung, D. Cox, "Triton: an intermediate language and compiler for tiled neural network computations", MAPL 2019.
Cost      One kernel a stage; a tile of a reduction that is no product is kept whole and folded once at the end.
"""

from __future__ import annotations

import hashlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from mlsys_core.compiler.c_text import identifier
from mlsys_core.compiler.schedule import Schedule
from mlsys_core.compiler.triton_kernel import TritonKernel

HEAD = "from __future__ import annotations\n\nimport torch\nimport triton\nimport triton.language as tl\n"


def generate(schedule: Schedule) -> str:
    """A module with a kernel a stage and `run(inputs…)`, which takes and returns torch tensors (a tuple of the outputs).

    Raises ScheduleError for what has no form in Triton.
    """
    writers = [TritonKernel(stage) for stage in schedule.stages.values()]
    names = [identifier(name) for name in schedule.inputs]
    lines = [f"def run({', '.join(names)}):"]
    for writer in writers:
        tensor = writer.stage.tensor
        dtype = f"dtype=torch.{tensor.dtype}, device={names[0]}.device"
        lines.append(f"    {identifier(tensor.name)} = torch.empty({tensor.shape}, {dtype})")
        lines.append(f"    {writer.launch()}")
    lines.append(f"    return ({', '.join(identifier(t.name) for t in schedule.outputs)},)")
    return "\n\n".join([HEAD, *("\n".join(w.text()) + "\n" for w in writers), "\n".join(lines)]) + "\n"


def write(schedule: Schedule, folder: Path) -> Path:
    """Writes the module to a file named by its contents: Triton reads a kernel's source from its file."""
    source = generate(schedule)
    path = folder / f"kernels_{hashlib.sha256(source.encode()).hexdigest()[:16]}.py"
    path.write_text(source)
    return path


def load(path: Path) -> ModuleType:
    """Imports a written module. It needs torch and triton, and a GPU, or TRITON_INTERPRET=1 before triton is first imported."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
