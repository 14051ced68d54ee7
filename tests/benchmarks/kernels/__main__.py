"""`python -m tests.benchmarks.kernels [FAMILY …] [--out FILE]` on a machine with a GPU: every case of the families, a table and JSON."""

from __future__ import annotations

import argparse
import json
import traceback
from importlib import import_module
from pathlib import Path

import torch
import triton

from tests.benchmarks.kernels.harness import as_json, measure

FAMILIES = ("elementwise", "attention", "decode", "matmul")


def ceilings() -> dict[str, float]:
    """This card's rates, measured: `copy` in bytes/s (read and written), matrix products by cuBLAS in FLOP/s."""
    from triton.testing import do_bench

    found = {"copy": _copy_rate()}
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    found["bf16"] = 2 * 8192**3 / do_bench(lambda: a @ b, return_mode="median") * 1e3
    one = torch.ones((), device="cuda")
    a8, b8 = a.to(torch.float8_e4m3fn), b.t().contiguous().to(torch.float8_e4m3fn).t()
    scaled = lambda: torch._scaled_mm(a8, b8, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)  # noqa: E731
    found["fp8"] = found["int8"] = 2 * 8192**3 / do_bench(scaled, return_mode="median") * 1e3
    return found


def _copy_rate() -> float:
    """Bytes read and written in a second by a large copy on the device."""
    from triton.testing import do_bench

    source = torch.empty(2**31, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    return float(2 * source.numel() / do_bench(lambda: target.copy_(source), return_mode="median") * 1e3)


def main() -> int:
    """Run the families; 0 when each goal was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", default=FAMILIES)
    parser.add_argument("--out", type=Path, default=Path("kernels.json"))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no GPU here, so nothing was measured.")
        return 2
    limits = ceilings()
    card = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "triton": triton.__version__}
    print(card, {name: f"{rate:.4g}" for name, rate in limits.items()}, flush=True)
    rows, broken = [], []
    for family in options.families:
        for case in import_module(f"tests.benchmarks.kernels.{family}").cases():
            try:
                rows.append(measure(case, limits))
                print(rows[-1].line(), flush=True)
            except Exception:  # noqa: BLE001 - the other cases are still wanted
                broken.append(f"{case.family} {case.name}")
                print(broken[-1], traceback.format_exc(limit=-3), flush=True)
    found = {"card": card, "ceilings": limits, "rows": [as_json(row) for row in rows], "broken": broken}
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    missed = [row.name for row in rows if not all(goal["met"] for goal in row.goals)]
    print(f"{len(rows)} cases, {len(missed)} with a goal missed, {len(broken)} broken")
    return 0 if not missed and not broken else 1


if __name__ == "__main__":
    raise SystemExit(main())
