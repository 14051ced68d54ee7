"""Speed of mlsys_core.autodiff against torch eager and micrograd, and of fused kernels against unfused ones: `make bench`.

One thread each, interleaved.

The torch model is written as a torch user would write it for speed, with the fused attention of torch, and holds the same
weights; before anything is timed the two losses and all gradients are compared.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from micrograd.engine import Value
from torch.nn import functional

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import static
from mlsys_core.autodiff.static.passes import CLEANING
from tests.benchmarks.interleave import Paired, interleaved

Run = Callable[[], object]
WIDTH, HEADS, TIME, BATCH, BLOCKS, VOCABULARY = 256, 8, 128, 8, 2, 65
CHAIN = 400
# float32 numbers of an array for the fused chain: 16 MB, where a level-2 cache holds 1 or 2
LONG = 4_000_000
# torch's speed times 0.7, as a ratio of times
OF_TORCH = 1 / 0.7


@dataclass(frozen=True)
class Case:
    """Two runs of the same work, and the largest ratio ours / theirs that meets the goal."""

    name: str
    yardstick: str
    goal: float
    per: int
    ours: Run
    theirs: Run
    calls: int
    rounds: int


class Block(torch.nn.Module):
    """The block of `ad.nn.TransformerBlock` in torch, with the same names of parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.ln2 = torch.nn.LayerNorm(WIDTH), torch.nn.LayerNorm(WIDTH)
        self.attn = torch.nn.ModuleDict(
            {"qkv": torch.nn.Linear(WIDTH, 3 * WIDTH), "proj": torch.nn.Linear(WIDTH, WIDTH)}
        )
        self.mlp = torch.nn.ModuleDict(
            {"fc": torch.nn.Linear(WIDTH, 4 * WIDTH), "proj": torch.nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, x: torch.Tensor, approximate: str) -> torch.Tensor:
        b, t, d = x.shape
        q, k, v = self.attn["qkv"](self.ln1(x)).view(b, t, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
        read = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn["proj"](read.transpose(1, 2).reshape(b, t, d))
        return x + self.mlp["proj"](functional.gelu(self.mlp["fc"](self.ln2(x)), approximate=approximate))


class Twin(torch.nn.Module):
    """`ad.nn.GPT` in torch."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = torch.nn.Embedding(VOCABULARY, WIDTH), torch.nn.Embedding(TIME, WIDTH)
        self.blocks = torch.nn.ModuleList(Block() for _ in range(BLOCKS))
        self.ln_f, self.head = torch.nn.LayerNorm(WIDTH), torch.nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, characters: torch.Tensor, targets: torch.Tensor, approximate: str = "tanh") -> torch.Tensor:
        x = self.wte(characters) + self.wpe.weight[: characters.shape[1]]
        for block in self.blocks:
            x = block(x, approximate)
        return functional.cross_entropy(self.head(self.ln_f(x)).view(-1, VOCABULARY), targets.view(-1))


def transformer_runs() -> tuple[Run, Run, Run]:
    """Forward and backward of the same model by us, by torch with the same tanh GELU, and by torch with its faster erf GELU."""
    rng = np.random.default_rng(0)
    model = ad.nn.GPT(VOCABULARY, TIME, width=WIDTH, heads=HEADS, blocks=BLOCKS, rng=rng)
    twin = Twin()
    twin.load_state_dict({name: torch.from_numpy(value) for name, value in model.state_dict().items()})
    characters, targets = rng.integers(0, VOCABULARY, (2, BATCH, TIME))
    inputs = torch.from_numpy(characters), torch.from_numpy(targets)

    def ours() -> float:
        model.zero_grad()
        loss = model.loss(characters, targets)
        loss.backward()
        return loss.item()

    def theirs(approximate: str = "tanh") -> float:
        twin.zero_grad()
        loss = twin(*inputs, approximate)
        loss.backward()
        return loss.item()

    if abs(ours() - theirs()) > 1e-5:
        raise SystemExit("The two models give different losses, so their times cannot be compared.")
    want = dict(twin.named_parameters())
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad.data, want[name].grad.numpy(), atol=2e-6, err_msg=name)
    return ours, theirs, lambda: theirs("none")


def chain(x: object, w: object) -> object:
    """A chain of products and sums, CHAIN operations long."""
    y = x
    for _ in range(CHAIN // 2):
        y = y * w
        y = y + x
    return y


def matrix_runs(n: int) -> tuple[Run, Run]:
    """The chain on n×n float32 matrices with its backward pass, by us and by torch."""
    a, b, one = np.ones((n, n), np.float32), np.full((n, n), 1.0001, np.float32), np.ones((n, n), np.float32)
    x, w = ad.Tensor(a, requires_grad=True), ad.Tensor(b, requires_grad=True)
    tx, tw = torch.from_numpy(a).clone().requires_grad_(), torch.from_numpy(b).clone().requires_grad_()
    tone = torch.from_numpy(one)
    return lambda: chain(x, w).backward(one), lambda: chain(tx, tw).backward(tone)


def scalar_runs() -> tuple[Run, Run]:
    """The chain on one number with its backward pass, by us as a 1×1 tensor and by micrograd as a Value."""
    a, b = np.ones((1, 1)), np.full((1, 1), 1.0001)
    return (
        lambda: chain(ad.Tensor(a, requires_grad=True), ad.Tensor(b, requires_grad=True)).backward(),
        lambda: chain(Value(1.0), Value(1.0001)).backward(),
    )


def fused_runs() -> tuple[Run, Run]:
    """Ten products and sums by the same static executor in one arena, with elementwise fusion and without it."""
    rng = np.random.default_rng(0)
    x, w = rng.random((2, LONG), dtype=np.float32)

    def ten(x: object, w: object) -> object:
        y = x
        for _ in range(5):
            y = y * w + x
        return y

    clean = static.optimize(static.trace(ten, x, w), CLEANING)
    fused, unfused = (static.Executor(g, static.plan(g)) for g in (static.optimize(clean), clean))
    np.testing.assert_array_equal(fused(x, w)[0], unfused(x, w)[0])
    return lambda: fused(x, w), lambda: unfused(x, w)


def cases(*, quick: bool) -> list[Case]:
    """Every comparison with its goal."""
    rounds = 9 if quick else 41
    ours, tanh, erf = transformer_runs()
    return [
        Case("2-block transformer, fwd+bwd", "torch, tanh GELU", OF_TORCH, 1, ours, tanh, 1, rounds),
        Case("the same", "torch, erf GELU", OF_TORCH, 1, ours, erf, 1, rounds),
        Case("one op on 8×8 with its backward", "torch", 2.0, CHAIN, *matrix_runs(8), 5, rounds),
        Case("one op on 64×64 with its backward", "torch", 2.0, CHAIN, *matrix_runs(64), 2, rounds),
        Case("one op on 1×1 with its backward", "micrograd", 4.0, CHAIN, *scalar_runs(), 10, rounds),
        Case("static graph: 10 fused ops on 16 MB", "unfused", 1 / 3, 1, *fused_runs(), 1, rounds),
    ]


def row(case: Case, paired: Paired) -> str:
    """One line of the table; times are of one transformer step in ms or of one operation in µs."""
    scale, unit = (1e3, "ms") if case.per == 1 else (1e6 / case.per, "µs")
    met = "met" if paired.high <= case.goal else "missed" if paired.low > case.goal else "open"
    return (
        f"| {case.name} | {paired.ours_s * scale:.2f} {unit} | {case.yardstick} {paired.theirs_s * scale:.2f} {unit} "
        f"| {paired.ratio:.2f} ({paired.low:.2f}–{paired.high:.2f}) | ≤ {case.goal:.2f} | {met} |"
    )


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description="Speed of mlsys_core.autodiff, interleaved with its yardsticks.")
    parser.add_argument("--quick", action="store_true", help="few rounds, for a look")
    quick = parser.parse_args().quick
    if os.environ.get("OMP_NUM_THREADS") != "1" or os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        raise SystemExit("Run this as `make bench`, which gives each numerical library one thread before it loads.")
    torch.set_num_threads(1)
    print("| case | ours | theirs | ratio ours/theirs (95 %) | goal | |")
    print("|---|---|---|---|---|---|")
    for case in cases(quick=quick):
        print(row(case, interleaved(case.ours, case.theirs, rounds=case.rounds, calls=case.calls)), flush=True)


if __name__ == "__main__":
    main()
