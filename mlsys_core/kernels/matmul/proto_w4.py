import sys, time, torch
from triton.testing import do_bench
from mlsys_core.kernels.matmul import w4
from mlsys_core.kernels.matmul.int4_kernels import gemv, few
from mlsys_core.kernels.matmul.persistent_final import persistent_matmul
from mlsys_core.kernels.matmul.tiles import Tile
t0=time.time(); LIM=float(sys.argv[1])
def bench(f, rep=40): return do_bench(f, warmup=10, rep=rep, return_mode="median")
def p(*a): print(f"[{time.time()-t0:5.1f}]", *a, flush=True)
def attempt(name, f, ref=None, base=None):
    if time.time()-t0 > LIM: return
    try:
        y=f(); torch.cuda.synchronize()
        err=((y.float()-ref.float()).abs().max()/ref.float().abs().max()).item()
        ms=bench(f); p(f"{name:50} {ms:.4f} x{base/ms:.3f} err {err:.1e}")
    except Exception as e: p(name, "FAILED", type(e).__name__, str(e)[:150].replace("\n"," "))
dev="cuda"; torch.manual_seed(0)
N,K=28672,8192
q=torch.randint(0,16,(N,K),device=dev,dtype=torch.uint8); w=w4.pack_int4(q)
s=(torch.rand(N,K//128,device=dev)*0.01+0.005).bfloat16(); z=torch.randint(0,16,(N,K//128),device=dev).bfloat16()
aff=torch.stack([s.t(),z.t()],-1).contiguous()
W=((q.view(N,-1,128).float()-z.float()[...,None])*s.float()[...,None]).view(N,K).bfloat16()
try:
    wt=torch._convert_weight_to_int4pack((q[:,::2]<<4|q[:,1::2]).contiguous(), 8); sz=torch.stack([s.t(),((8-z.float())*s.float()).bfloat16().t()],-1).contiguous()
    tiny=lambda x: torch._weight_int4pack_mm(x,wt,128,sz)
except Exception as e: tiny=None; p("tiny",e)
del q
src=torch.empty(2**30,dtype=torch.uint8,device=dev); dst=torch.empty_like(src); ms=bench(lambda:dst.copy_(src)); p("copy GB/s",2*2**30/ms/1e6); ms=bench(lambda:src.view(torch.int64).sum()); p("read GB/s",2**30/ms/1e6); del src,dst
for M in (1,16,64):
    x=torch.randn(M,K,device=dev,dtype=torch.bfloat16); ref=x@W.t(); base=bench(lambda: x@W.t()); p("bf16 M",M,base)
    if tiny: attempt(f"tinygemm {M}", lambda: tiny(x), ref, base)
    if M==1:
        for rows,groups,warps,split in [(16,4,4,1),(32,4,4,1),(32,2,4,1),(8,8,4,1),(8,4,4,1),(16,8,8,1),(8,8,8,1),(4,8,2,1),(16,2,2,1),(16,4,4,2),(32,4,8,1)]:
            attempt(f"gemv rows {rows} groups {groups} warps {warps} split {split}", lambda: gemv(x,w,aff,rows,groups,warps,split), ref, base)
        attempt("old gemv 16 4 4", lambda: w4.gemv(x,w,s,z,16,4,4,1), ref, base)
    T=max(16,M)
    for rows,warps,split,stages,asm in {1:[(64,4,1,4,False),(64,4,2,4,True)],16:[(64,4,1,4,True),(64,4,1,4,False),(64,4,1,3,False),(64,4,1,6,False),(128,4,1,4,False),(128,8,1,4,False),(64,4,2,4,False),(64,4,4,4,False),(64,4,1,2,False),(64,4,1,1,False)],64:[(64,4,1,4,False),(128,8,1,4,False),(128,8,1,3,True),(64,4,2,4,False)]}[M]:
        attempt(f"few M{M} rows {rows} warps {warps} split {split} st {stages} asm {asm}", lambda: few(x,w,aff,rows,T,warps,split,stages,asm), ref, base)
n=8192
a=torch.randn(n,n,device=dev,dtype=torch.bfloat16); b=torch.randn(n,n,device=dev,dtype=torch.bfloat16); ref=a@b; base=bench(lambda:a@b); p("cublas", base, 2*n**3/base/1e9)
for st in (3,4): attempt(f"persistent final {st}", lambda: persistent_matmul(a,b,tile=Tile(128,256,64,8,8,st)), ref, base)
