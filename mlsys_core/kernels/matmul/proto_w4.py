import sys, time, torch
from triton.testing import do_bench
from mlsys_core.kernels.matmul.int4 import pack_int4
from mlsys_core.kernels.matmul.int4_proto2 import gemv, few
from mlsys_core.kernels.matmul.eight_bits import *
from mlsys_core.kernels.matmul.persistent import persistent_matmul
from mlsys_core.kernels.matmul.split_k import split_k_matmul
from mlsys_core.kernels.matmul.tiled import tiled_matmul
from mlsys_core.kernels.matmul.tiles import Tile

t0 = time.time()
LIM = float(sys.argv[1])


def bench(f, rep=40):
    return do_bench(f, warmup=10, rep=rep, return_mode="median")


def p(*a):
    print(f"[{time.time() - t0:5.1f}]", *a, flush=True)


def attempt(name, f, ref=None, base=None):
    if time.time() - t0 > LIM:
        return
    try:
        y = f()
        torch.cuda.synchronize()
        err = ((y.float() - ref.float()).abs().max() / ref.float().abs().max()).item()
        ms = bench(f)
        p(f"{name:50} {ms:.4f} x{base / ms:.3f} err {err:.1e}")
    except Exception as e:
        p(name, "FAILED", type(e).__name__, str(e)[:150].replace("\n", " "))


dev = "cuda"
torch.manual_seed(0)
N, K = 28672, 8192
q = torch.randint(0, 16, (N, K), device=dev, dtype=torch.uint8)
w = pack_int4(q).view(torch.int32)
s = (torch.rand(N, K // 128, device=dev) * 0.01 + 0.005).bfloat16()
z = torch.randint(0, 16, (N, K // 128), device=dev).bfloat16()
aff = torch.stack([s.t(), z.t()], -1).contiguous()
W = ((q.view(N, -1, 128).float() - z.float()[..., None]) * s.float()[..., None]).view(N, K).bfloat16()
wt = torch._convert_weight_to_int4pack((q[:, ::2] << 4 | q[:, 1::2]).contiguous(), 8)
sz = torch.stack([s.t(), ((8 - z.float()) * s.float()).bfloat16().t()], -1).contiguous()
del q
for M in (1, 16, 64):
    x = torch.randn(M, K, device=dev, dtype=torch.bfloat16)
    ref = x @ W.t()
    base = bench(lambda: x @ W.t())
    p("bf16 M", M, base)
    attempt(f"tinygemm {M}", lambda: torch._weight_int4pack_mm(x, wt, 128, sz), ref, base)
    if M == 1:
        for rows, groups, warps, split, asm in [
            (16, 4, 4, 1, True),
            (16, 4, 4, 1, False),
            (32, 4, 4, 1, True),
            (8, 8, 4, 1, True),
            (8, 4, 2, 1, True),
            (16, 2, 2, 1, True),
            (4, 8, 2, 1, True),
            (8, 4, 4, 1, True),
            (16, 4, 4, 2, True),
            (16, 8, 4, 1, True),
        ]:
            attempt(
                f"gemv rows {rows} groups {groups} warps {warps} split {split} asm {asm}",
                lambda: gemv(x, w, aff, rows, groups, warps, split, asm),
                ref,
                base,
            )
    T = max(16, M)
    A = [
        (64, 4, 1, 4),
        (64, 4, 2, 4),
        (64, 4, 4, 4),
        (128, 4, 1, 4),
        (128, 4, 2, 4),
        (32, 2, 1, 4),
        (64, 2, 1, 4),
        (64, 2, 2, 4),
        (16, 1, 1, 4),
        (32, 1, 1, 4),
        (32, 2, 2, 4),
    ]
    for rows, warps, split, stages in {
        1: A[:8],
        16: A + [(64, 4, 2, 3), (64, 4, 2, 6), (128, 8, 2, 4)],
        64: [(64, 4, 1, 4), (128, 8, 1, 4), (64, 4, 2, 4), (128, 4, 1, 4), (64, 2, 1, 4)],
    }[M]:
        attempt(
            f"few M{M} rows {rows} warps {warps} split {split} st {stages}",
            lambda: few(x, w, aff, rows, T, warps, split, stages, True),
            ref,
            base,
        )
    for sub, asm in ((True, False), (False, True)):
        attempt(
            f"few M{M} rows 64 split 2 sub {sub} asm {asm}", lambda: few(x, w, aff, 64, T, 4, 2, 4, asm, sub), ref, base
        )
del W, w
n = 8192
a = torch.randn(n, n, device=dev, dtype=torch.bfloat16)
b = torch.randn(n, n, device=dev, dtype=torch.bfloat16)
a8, b8 = a.to(torch.float8_e4m3fn), b.t().contiguous().to(torch.float8_e4m3fn)
one = torch.ones((), device=dev)
ones = torch.ones(n, device=dev)
sm = lambda f: torch._scaled_mm(a8, b8.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=f)
ref = sm(False)
base = bench(lambda: sm(False))
p("scaled_mm", base, "fast", bench(lambda: sm(True)))
for t, pr in [
    (Tile(128, 256, 128, 8, 8, 4), None),
    (Tile(128, 128, 128, 8, 8, 4), 128),
    (Tile(128, 256, 128, 8, 8, 3), 128),
    (Tile(64, 256, 128, 8, 4, 3), 128),
    (Tile(128, 256, 64, 8, 8, 4), 64),
    (Tile(64, 128, 128, 8, 4, 4), 128),
]:
    attempt(
        f"fp8 {t} {pr}",
        lambda: persistent_matmul(a8, b8.t(), tile=t, scales=(ones, ones), out=torch.bfloat16, promote=pr),
        ref,
        base,
    )
for m, n_, k in ((4096, 4096, 4096), (64, 8192, 8192), (16, 8192, 28672), (256, 8192, 8192)):
    a = torch.randn(m, k, device=dev, dtype=torch.bfloat16)
    b = torch.randn(k, n_, device=dev, dtype=torch.bfloat16)
    ref = a @ b
    base = bench(lambda: a @ b)
    p("cublas", m, n_, k, base)
    if m > 1000:
        for t in (Tile(128, 256, 64, 8, 8, 3), Tile(128, 128, 64, 8, 4, 4), Tile(128, 128, 64, 8, 8, 4)):
            attempt(f"persistent {t}", lambda: persistent_matmul(a, b, tile=t), ref, base)
    else:
        for t in (Tile(64, 128, 64, 8, 4, 4), Tile(64, 64, 128, 8, 4, 4), Tile(128, 128, 64, 8, 4, 4)):
            attempt(f"tiled {t}", lambda: tiled_matmul(a, b, tile=t), ref, base)
            attempt(f"persistent {t}", lambda: persistent_matmul(a, b, tile=t), ref, base)
            for parts in (2, 4):
                attempt(f"split {parts} {t}", lambda: split_k_matmul(a, b, tile=t, parts=parts), ref, base)
