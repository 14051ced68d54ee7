import sys, time, torch
from triton.testing import do_bench
from mlsys_core.kernels.matmul.int4 import pack_int4, dequantize_int4
from mlsys_core.kernels.matmul.int4_products import *
t0=time.time(); LIM=float(sys.argv[1])
def bench(f, rep=40): return do_bench(f, warmup=8, rep=rep, return_mode="median")
def p(*a): print(f"[{time.time()-t0:5.1f}]", *a, flush=True)
dev="cuda"; torch.manual_seed(0)
N,K=28672,8192
q=torch.randint(0,16,(N,K),device=dev,dtype=torch.uint8); w=pack_int4(q)
s=(torch.rand(K//128,N,device=dev)*0.01+0.005).bfloat16(); z=torch.randint(0,16,(K//128,N),device=dev).bfloat16()
aff=torch.stack([s,z],-1).contiguous(); W=dequantize_int4(w,aff).bfloat16(); del q
C=4
ws=[w]+[w.clone() for _ in range(C-1)]; Ws=[W]+[W.clone() for _ in range(C-1)]
def attempt(name, f, ref, base):
    if time.time()-t0 > LIM: return
    try:
        y=f(0); torch.cuda.synchronize()
        err=((y.float()-ref.float()).abs().max()/ref.float().abs().max()).item()
        one=bench(lambda: f(0))
        four=bench(lambda: [f(i) for i in range(C)])/C
        p(f"{name:70} one {one*1e3:6.1f} x{base[0]/one:.3f}  row {four*1e3:6.1f} x{base[1]/four:.3f} err {err:.1e}")
        return one, four
    except Exception as e: p(name, "FAILED", type(e).__name__, str(e)[:150].replace("\n"," "))
for M in (1,16,64,32):
    x=torch.randn(M,K,device=dev,dtype=torch.bfloat16); ref=x@W.t(); base=attempt(f"bf16 {M}", lambda i: x@Ws[i].t(), ref, (1,1))
    if M==1:
        T=[Int4Tile(r,1,wa,st,pr) for r,wa,st,pr in [(2,8,3,4),(4,8,3,3),(8,8,3,3),(8,8,3,2),(8,8,2,3),(4,8,4,3),(2,8,4,4),(2,8,3,3),(4,8,2,4),(16,8,1,2),(16,8,2,2),(8,8,4,2)]]
        for t in T: attempt(str(t), lambda i: gemv_product(x,ws[i],aff,t), ref, base)
    tk=max(16,M)
    T=[Int4Tile(r,tk,wa,st) for r,wa,st in {1:[(128,4,4)],16:[(128,4,4),(128,4,3),(128,4,5),(64,2,4),(128,2,4)],64:[(128,4,3),(128,4,2),(128,4,4),(64,2,3)],32:[(128,4,4),(128,4,3),(64,2,4)]}[M]]
    for t in T: attempt(f"M{M} {t}", lambda i: few_product(x,ws[i],aff,t), ref, base)
    if M==64:
        t=Int4Tile(128,16,4,4); attempt(f"M{M} {t}", lambda i: few_product(x,ws[i],aff,t), ref, base)
        t=Int4Tile(128,32,4,4); attempt(f"M{M} {t}", lambda i: few_product(x,ws[i],aff,t), ref, base)
