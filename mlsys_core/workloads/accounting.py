"""The GPT, counted exactly: parameters, FLOPs, bytes, and the memory of a training step, for any sizes.

Idea      Every figure of a training step follows from the shapes. What papers round to 6 N D can be counted to the last FLOP.
Equation  parameters  V d (2, or 1 if tied) + L (2 d² + 2 d·k D + 3 d f + 2 d) + d
          forward     2 n [L (2 d² + 2 d·k D + 3 d f) + V d] + 4 L n T d FLOPs for n = B T tokens; backward twice the
                      products' and 2.5 times the scores'
          6 N D       both passes if only weights cost anything: it forgets the scores, 14 T d FLOPs a token and layer; its N
                      leaves out the table of embeddings, which multiplies nothing
Paper     J. Kaplan et al., "Scaling laws for neural language models", arXiv 2001.08361, section 2.1 (6 N D); V. Korthikanti
          et al., "Reducing activation recomputation", MLSys 2023 (activation memory, layer by layer); S. Rajbhandari et al.,
          "ZeRO", SC 2020, section 3.1 (16 bytes a parameter).
Cost      About fifteen operations a layer.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlsys_core.workloads import operations as o
from mlsys_core.workloads.gpt import GPTConfig
from mlsys_core.workloads.operations import INDEX, Operation, Work


def gpt(config: GPTConfig, batch: int, time: int, *, size: int = 4, recompute: bool = True) -> list[Operation]:
    """The operations of `GPT.loss` on tokens (batch, time), with elements of `size` bytes.

    `recompute` says whether attention makes its scores again in the backward pass, as every fused kernel does. What is
    kept is exact for float32 and float64 and heads at least 4 wide (torch's fused kernel takes none of 2); where the
    normalisation is one kernel, which it is not on a CPU, its normalised copy is not kept.
    """
    rows, vocabulary, dim = batch * time, config.vocab_size, config.dim
    table = rows * dim * size
    embed = Operation(
        "embed",
        "embedding",
        Work(0, rows * INDEX + 2 * table),
        Work(0, rows * INDEX + table + vocabulary * dim * size),
        vocabulary * dim,
        rows * INDEX,
    )
    blocks = [
        operation
        for layer in range(config.layers)
        for operation in _block(f"blocks.{layer}", config, batch, time, size, recompute=recompute)
    ]
    tied = config.tie_embeddings
    head = o.linear("head", "head", (rows, dim, vocabulary), size, keeps=rows * dim, shared=tied)
    return [embed, *blocks, _rms_norm("norm", rows, dim, size), head, _loss(rows, vocabulary, size)]


def _block(name: str, config: GPTConfig, batch: int, time: int, size: int, *, recompute: bool) -> list[Operation]:
    rows, dim, inner, width = batch * time, config.dim, config.ffn, config.head_dim
    heads, kv_heads = config.heads, config.kv_heads
    kv = kv_heads * width
    # the heads are put side by side again by a copy, unless their order in memory is that already
    joined = rows * dim if heads > 1 and time > 1 else 0
    return [
        _rms_norm(f"{name}.attn_norm", rows, dim, size),
        o.linear(f"{name}.attn.q_proj", "projections", (rows, dim, dim), size, keeps=rows * dim),
        o.linear(f"{name}.attn.k_proj", "projections", (rows, dim, kv), size),
        o.linear(f"{name}.attn.v_proj", "projections", (rows, dim, kv), size),
        _rope(f"{name}.attn.rope_q", rows * dim, time, width, size),
        _rope(f"{name}.attn.rope_k", rows * kv, time, width, size),
        o.attention(
            f"{name}.attn.attend", "scores", (batch, heads, time, width), size, kv_heads=kv_heads, recompute=recompute
        ),
        o.linear(f"{name}.attn.o_proj", "projections", (rows, dim, dim), size, keeps=joined),
        o.elementwise(f"{name}.attn.add", "elementwise", rows * dim, size, reads=2),
        _rms_norm(f"{name}.ffn_norm", rows, dim, size),
        o.linear(f"{name}.ffn.gate_proj", "ffn", (rows, dim, inner), size, keeps=rows * dim),
        o.linear(f"{name}.ffn.up_proj", "ffn", (rows, dim, inner), size),
        # it keeps the gate, its silu, and what they multiply
        o.elementwise(f"{name}.ffn.gate", "elementwise", rows * inner, size, reads=2, keeps=3 * rows * inner),
        o.linear(f"{name}.ffn.down_proj", "ffn", (rows, inner, dim), size, keeps=rows * inner),
        o.elementwise(f"{name}.ffn.add", "elementwise", rows * dim, size, reads=2),
    ]


def _rms_norm(name: str, rows: int, dim: int, size: int) -> Operation:
    """Keeps its input, the input divided by its root mean square, and that root of each row."""
    return o.norm(name, "norm", rows, dim, size, vectors=1, keeps=2 * rows * dim + rows)


def _rope(name: str, elements: int, time: int, width: int, size: int) -> Operation:
    """Keeps the cosines and sines (T, D/2), which carry no batch."""
    return o.elementwise(name, "elementwise", elements, size, reads=1, keeps=time * width)


def _loss(rows: int, vocabulary: int, size: int) -> Operation:
    """Keeps the logarithms of the probabilities, the targets, and one number for the mean."""
    logits, targets = rows * vocabulary * size, rows * INDEX
    work = Work(0, 2 * logits + targets)
    return Operation("loss", "loss", work, work, saved=logits + targets + size)


def parameters(config: GPTConfig) -> int:
    """The number of parameters, in closed form; a tied table counts once."""
    dim, kv = config.dim, config.kv_heads * config.head_dim
    block = 2 * dim * dim + 2 * dim * kv + 3 * dim * config.ffn + 2 * dim
    return (1 if config.tie_embeddings else 2) * config.vocab_size * dim + config.layers * block + dim


def non_embedding(config: GPTConfig) -> int:
    """Parameters that multiply something: the N of scaling laws, here with the head and without the table of embeddings."""
    table = 0 if config.tie_embeddings else config.vocab_size * config.dim
    return parameters(config) - table


def six_nd(parameters: int, tokens: int) -> int:
    """FLOPs of training on this many tokens as papers approximate them: 6 N D."""
    return 6 * parameters * tokens


def six_nd_error(config: GPTConfig, batch: int, time: int) -> float:
    """(6 N D - exact) / exact for one step, with N = `non_embedding`; negative where attention's square matters."""
    exact = o.total(gpt(config, batch, time)).flops
    return six_nd(non_embedding(config), batch * time) / exact - 1


@dataclass(frozen=True)
class StateBytes:
    """Bytes that a model holds between steps."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        """All three."""
        return self.weights + self.gradients + self.optimizer


def state_bytes(parameters: int, *, mixed: bool = False, moments: int = 2) -> StateBytes:
    """Weights, gradients and optimizer state of this many parameters; `moments` is 2 for Adam, 1 for momentum, 0 for SGD.

    float32 throughout, or, `mixed`, 16-bit weights and gradients with a float32 master copy of the weights beside the
    moments: 16 bytes a parameter under Adam either way.
    """
    size = 2 if mixed else 4
    return StateBytes(size * parameters, size * parameters, 4 * (moments + mixed) * parameters)
