import os, sys, time, torch, json, itertools
from concurrent.futures import ThreadPoolExecutor
from triton.testing import do_bench
from mlsys_core.kernels.matmul.persistent import persistent
from mlsys_core.kernels.matmul import w4
t0=time.time(); LIM=float(sys.argv[1]) if len(sys.argv)>1 else 110
def bench(f, rep=40): return do_bench(f, warmup=10, rep=rep, return_mode="median")
def p(*a): print(f"[{time.time()-t0:5.1f}]", *a, flush=True)
def attempt(name, f, ref=None, base=None):
    if time.time()-t0 > LIM: return
    try:
        y=f(); torch.cuda.synchronize()
        err=((y.float()-ref.float()).abs().max()/ref.float().abs().max()).item() if ref is not None else -1
        ms=bench(f); p(f"{name:55} {ms:.4f} ms x{base/ms:.3f} err {err:.2e}")
    except Exception as e: p(name, "FAILED", type(e).__name__, str(e)[:300].replace("\n"," "))
dev="cuda"; torch.manual_seed(0)
# W4
N,K=28672,8192
q=torch.randint(0,16,(N,K),device=dev,dtype=torch.uint8); w=w4.pack_int4(q)
s=(torch.rand(N,K//128,device=dev)*0.01+0.005).bfloat16(); z=torch.randint(0,16,(N,K//128),device=dev).bfloat16()
W=((q.view(N,-1,128).float()-z.float()[...,None])*s.float()[...,None]).view(N,K).bfloat16(); del q
for M in (1,):
    x=torch.randn(M,K,device=dev,dtype=torch.bfloat16); ref=x@W.t(); base=bench(lambda: x@W.t()); p("bf16 M",M,base)
    for rows,groups,warps,split in [(16,2,4,1),(8,4,4,1),(16,4,4,1),(32,2,4,1),(8,8,4,1),(16,4,8,1),(4,8,4,1),(16,2,4,2),(8,2,2,1)]:
        attempt(f"gemv rows {rows} groups {groups} warps {warps} split {split}", lambda: w4.gemv(x,w,s,z,rows,groups,warps,split), ref, base)
for M in (16,1,64):
    x=torch.randn(M,K,device=dev,dtype=torch.bfloat16); ref=x@W.t(); base=bench(lambda: x@W.t()); p("bf16 M",M,base)
    T=max(16,M)
    for rows,warps,split,stages,asm in [(64,4,1,3,True),(64,4,1,4,False),(128,4,1,4,True),(128,8,1,4,True),(64,4,2,5,True),(64,4,4,4,True)][: 6 if M==16 else 3]:
        attempt(f"gemm M{M} rows {rows} warps {warps} split {split} st {stages} asm {asm}", lambda: w4.gemm(x,w,s,z,rows,T,warps,split,stages,asm), ref, base)
del W,w
n=8192
a=torch.randn(n,n,device=dev,dtype=torch.bfloat16); b=torch.randn(n,n,device=dev,dtype=torch.bfloat16); ref=a@b; base=bench(lambda:a@b); p("cublas", base, 2*n**3/base/1e9)
for tile,sub,ws in [((128,256,64,8,3,8),True,False),((128,256,64,8,4,8),True,False),((128,256,64,8,3,8),False,False),((128,256,64,8,3,16),True,False),((256,128,64,8,3,8),True,False),((128,256,64,8,3,8),True,True),((128,256,64,4,3,8),True,True),((128,128,64,4,4,8),False,False),((128,256,64,8,4,16),True,False)]:
    attempt(f"bf16 {tile} sub {sub} ws {ws}", lambda: persistent(a,b,tile=tile,subtile=sub,ws=ws), ref, base)
a8,b8=a.to(torch.float8_e4m3fn), b.t().contiguous().to(torch.float8_e4m3fn); one=torch.ones((),device=dev); ones=torch.ones(n,device=dev)
sm=lambda f: torch._scaled_mm(a8,b8.t(),scale_a=one,scale_b=one,out_dtype=torch.bfloat16,use_fast_accum=f)
ref=sm(False); base=bench(lambda: sm(False)); p("scaled_mm", base, "fast", bench(lambda: sm(True)))
for tile,imp,sub in [((128,256,128,8,3,8),-1,True),((128,256,128,8,3,8),128,True),((128,256,128,8,4,8),-1,True),((128,128,128,8,4,8),128,False),((128,128,128,4,3,8),-1,False),((128,256,64,8,4,8),-1,True)]:
    attempt(f"fp8 {tile} imp {imp} sub {sub}", lambda: persistent(a8,b8,ones,ones,tile=tile,imprecise=imp,nk=True,subtile=sub), ref, base)
ai,bi=(torch.randint(-127,128,(n,n),device=dev,dtype=torch.int8) for _ in range(2))
ref=torch._int_mm(ai,bi.t()); base=bench(lambda: torch._int_mm(ai,bi.t())); p("int_mm", base)
for tile,sub in [((128,256,128,8,3,8),True),((128,256,128,8,4,8),True),((128,128,128,4,4,8),False)]:
    attempt(f"int8 {tile} {sub}", lambda: persistent(ai,bi,ones,ones,tile=tile,nk=True,subtile=sub), ref.float(), base)
from mlsys_core.kernels.matmul.tiled import tiled_matmul
from mlsys_core.kernels.matmul.tiles import Tile
from mlsys_core.kernels.matmul.grouped import *
del a8,b8,ai,bi
ref=a@b; base=bench(lambda:a@b)
for t in [Tile(128,256,64,8,8,3),Tile(128,128,64,8,4,4)]: attempt(f"tiled {t}", lambda: tiled_matmul(a,b,tile=t), ref, base)
E_,T_,K_,F_=8,4096,4096,14336
W=torch.randn(E_,F_,K_,device=dev,dtype=torch.bfloat16)*0.02; X=torch.randn(T_,K_,device=dev,dtype=torch.bfloat16)
ex=torch.rand(T_,E_,device=dev).topk(2).indices.flatten(); order=ex.argsort(stable=True); idx=order//2; cnt=torch.bincount(ex,minlength=E_); ends=cnt.cumsum(0).int(); cl=cnt.tolist(); p(cl)
loop=lambda: torch.cat([r@W[e].t() for e,r in enumerate(X[idx].split(cl))])
ref=loop(); base=bench(loop); p("loop",base,2*2*T_*K_*F_/base/1e9)
for t in [Tile(128,256,64,8,8,3),Tile(128,256,64,8,8,4),Tile(128,128,64,8,4,4)]: attempt(f"grouped {t}", lambda: grouped_product(X,W,ends,idx,t), ref, base)
DY=ref; ref=torch.stack([d.t()@X[i] for d,i in zip(DY.split(cl),idx.split(cl))]); base=bench(lambda:torch.stack([d.t()@X[i] for d,i in zip(DY.split(cl),idx.split(cl))]))
for t in [Tile(128,256,64,8,8,3),Tile(128,128,64,8,4,4)]: attempt(f"dW {t}", lambda: weights_product(DY,X,ends,idx,t), ref, base)
