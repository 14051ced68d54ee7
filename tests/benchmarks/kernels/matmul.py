"""Matrix products beside cuBLAS: 16 bits, eight, four, and experts.

Four bits are timed twice: one call with the cache cleared before it, and four calls in a row on the weights of four layers, as a decode
step has them. Clearing writes 256 MB, of which the L2 cache keeps what it holds unwritten; a call that reads 120 MB pays for that too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mlsys_core.kernels.matmul import fp8_matmul, grouped_matmul, int4_matmul, int8_matmul, matmul, pack_int4
from mlsys_core.kernels.matmul.int4 import dequantize_int4
from tests.benchmarks.kernels.harness import Case, Goal, captured

BF16 = torch.bfloat16
LAYERS = 4


def cases() -> Iterator[Case]:
    torch.manual_seed(0)
    yield from sixteen_bits()
    yield from eight_bits()
    yield from experts()
    yield from four_bits()


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, device="cuda", dtype=BF16)


def sixteen_bits() -> Iterator[Case]:
    for m, n, k, goals in (
        (8192, 8192, 8192, (Goal("cublas", 0.9),)),
        (4096, 4096, 4096, ()),
        (64, 8192, 8192, ()),
        (16, 8192, 28672, ()),
    ):
        a, b = drawn(m, k), drawn(k, n)
        contenders = {"ours": lambda a=a, b=b: matmul(a, b), "cublas": lambda a=a, b=b: a @ b}
        moved = 2 * (m * k + k * n + m * n)
        if m <= 64:
            contenders = {name: captured(run) for name, run in contenders.items()}
        yield Case("matmul", f"bf16 {m}x{n}x{k}", contenders, moved, 2 * m * n * k, "bf16", goals)
    bias = drawn(4096)
    a, b = drawn(4096, 4096), drawn(4096, 4096)
    fused = {
        "ours": lambda: matmul(a, b, bias, "gelu"),
        "cublas": lambda: torch.nn.functional.gelu(torch.addmm(bias, a, b), approximate="tanh"),
    }
    yield Case("matmul", "bf16 4096x4096x4096 bias gelu", fused, 6 * 4096**2, 2 * 4096**3, "bf16")


def eight_bits() -> Iterator[Case]:
    n = 8192
    one, rows = torch.ones((), device="cuda"), torch.ones(n, device="cuda")
    a, b = (drawn(n, n).to(torch.float8_e4m3fn) for _ in range(2))

    def scaled(*, fast: bool) -> Tensor:
        return torch._scaled_mm(a, b.t(), scale_a=one, scale_b=one, out_dtype=BF16, use_fast_accum=fast)

    def by_rows() -> Tensor:
        return torch._scaled_mm(a, b.t(), scale_a=rows[:, None], scale_b=rows[None, :], out_dtype=BF16)

    others = {"scaled_mm": lambda: scaled(fast=False), "scaled_mm fast": lambda: scaled(fast=True), "by rows": by_rows}
    moved, flops, goal = 4 * n * n, 2 * n**3, (Goal("scaled_mm", 0.85),)
    for promote, goals in ((0, goal), (128, ())):
        ours = {"ours": lambda p=promote: fp8_matmul(a, rows, b, rows, out=BF16, promote=p)}
        yield Case("matmul", f"fp8 {n}³, promoted by {promote}", ours | others, moved, flops, "fp8", goals)
    x, w = (torch.randint(-127, 128, (n, n), device="cuda", dtype=torch.int8) for _ in range(2))
    contenders = {
        "ours": lambda: int8_matmul(x, rows, w, rows, out=BF16),
        "int_mm": lambda: torch._int_mm(x, w.t()),
        "int_mm scaled": lambda: (torch._int_mm(x, w.t()) * rows[:, None] * rows).to(BF16),
    }
    yield Case("matmul", f"int8 {n}³", contenders, moved, flops, "int8")


def experts() -> Iterator[Case]:
    count, tokens, k, n = 8, 4096, 4096, 14336
    w, x = drawn(count, n, k) * 0.02, drawn(tokens, k)
    expert = torch.rand(tokens, count, device="cuda").topk(2).indices.flatten()
    index, counts = expert.argsort(stable=True) // 2, torch.bincount(expert, minlength=count)
    ends, sizes = counts.cumsum(0).to(torch.int32), counts.tolist()

    def loop() -> Tensor:
        return torch.cat([rows @ w[e].t() for e, rows in enumerate(x[index].split(sizes))])

    contenders: dict[str, Callable[[], object]] = {"ours": lambda: grouped_matmul(x, w, ends, index), "loop": loop}
    if hasattr(torch, "_grouped_mm"):
        contenders["grouped_mm"] = lambda: torch._grouped_mm(x[index], w.transpose(1, 2), offs=ends)
    moved = 2 * (count * n * k + tokens * k + 2 * tokens * n)
    yield Case("matmul", "MoE 8 experts 4096 top-2", contenders, moved, 4 * tokens * n * k, "bf16")


def four_bits() -> Iterator[Case]:
    n, k, group = 28672, 8192, 128
    q = torch.randint(0, 16, (n, k), device="cuda", dtype=torch.uint8)
    affine = torch.stack(
        (torch.rand(k // group, n, device="cuda") / 100, q[: k // group, :1] + torch.zeros(n, device="cuda")), 2
    ).to(BF16)
    packed = pack_int4(q)
    whole = dequantize_int4(packed, affine).to(BF16)
    theirs = torch._convert_weight_to_int4pack((q[:, ::2] << 4 | q[:, 1::2]).contiguous(), 8)
    scale, zero = affine.unbind(2)
    offsets = torch.stack((scale, (8 - zero) * scale), 2).contiguous()
    ours, bf16, tiny = ([t] + [t.clone() for _ in range(LAYERS - 1)] for t in (packed, whole, theirs))
    for m, factor in ((1, 2.8), (16, 2.5), (64, None)):
        x = drawn(m, k)
        for layers in (1, LAYERS):
            contenders = {
                "ours": lambda x=x, c=layers: [int4_matmul(x, w, affine) for w in ours[:c]],
                "bf16": lambda x=x, c=layers: [x @ w.t() for w in bf16[:c]],
                "tinygemm": lambda x=x, c=layers: [torch._weight_int4pack_mm(x, w, group, offsets) for w in tiny[:c]],
            }
            moved = layers * (n * k // 2 + 4 * n * k // group + 2 * m * (n + k))
            name = f"W4A16 M={m} {k}x{n}" + (f", {layers} layers" if layers > 1 else "")
            goals = () if factor is None else (Goal("bf16", factor),)
            graphs = {contender: captured(run) for contender, run in contenders.items()}
            yield Case("matmul", name, graphs, moved, layers * 2 * m * n * k, "bf16", goals)
