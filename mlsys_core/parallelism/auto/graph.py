"""What is computed: operators that are known by the labels of their axes, which is all that cutting them needs.

Idea      An operator is an equation as einsum writes it. A label in the output can be cut without talking; a label that is summed
          can be cut too, and then the parts of the sum must be added. The backward pass follows from the same equation.
Equation  y[bsf] = Σ_h x[bsh] w[hf];   dx[bsh] = Σ_f dy[bsf] w[hf];   dw[hf] = Σ_bs x[bsh] dy[bsf]
Paper     L. Zheng et al., "Alpa: automating inter- and intra-operator parallelism for distributed deep learning", OSDI 2022,
          section 4.1 and appendix A (the ways to cut a matrix product).
Cost      2 operations for each combination of labels of a product, and twice that in the backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from mlsys_core.workloads.gpt import GPTConfig

FREE = ""  # an input that no operator makes: a weight, or data


@dataclass(frozen=True)
class Op:
    """An operator: its equation, the operators that its inputs come from, which inputs are weights, and what is never cut.

    `work` is the number of operations for each combination of its labels in the forward pass. `pinned` names, for each mesh
    axis, the one label that is cut by it ("" for none), where the choice is not free.
    """

    name: str
    equation: str
    inputs: tuple[str, ...]
    weights: tuple[int, ...] = ()
    whole: str = ""
    work: float = 2.0
    pinned: tuple[str, str] | None = None

    @property
    def operands(self) -> list[str]:
        """Labels of each input."""
        return self.equation.split("->")[0].split(",")

    @property
    def output(self) -> str:
        """Labels of the output."""
        return self.equation.split("->")[1]

    @property
    def labels(self) -> str:
        """All labels, in the order in which they come."""
        return "".join(dict.fromkeys(self.equation.replace(",", "").replace("->", "")))


@dataclass(frozen=True)
class Graph:
    """Operators and the length of each label. An operator may use one that comes later: blocks that repeat feed themselves."""

    sizes: Mapping[str, int]
    ops: tuple[Op, ...]

    def __post_init__(self) -> None:
        made = {op.name: op for op in self.ops}
        if len(made) < len(self.ops):
            raise ValueError("Two operators have one name; an input by that name would be ambiguous.")
        for op in self.ops:
            if len(op.inputs) != len(op.operands):
                raise ValueError(f"{op.name} has {len(op.inputs)} inputs, and its equation {op.equation} has other.")
            for source, labels in zip(op.inputs, op.operands, strict=True):
                if source != FREE and source not in made:
                    raise ValueError(f"{op.name} uses {source!r}, which no operator makes.")
                if source != FREE and self.shape(made[source].output) != self.shape(labels):
                    raise ValueError(
                        f"{op.name} takes {self.shape(labels)} where {source} makes {self.shape(made[source].output)}."
                    )

    def shape(self, labels: str) -> tuple[int, ...]:
        """Lengths of labels."""
        return tuple(self.sizes[label] for label in labels)

    def elements(self, labels: str) -> int:
        """Of a tensor with these labels."""
        return prod(self.shape(labels))

    def flops(self, op: Op) -> float:
        """Operations of the forward and the backward pass."""
        return 3 * op.work * self.elements(op.labels)


def gpt_block(config: GPTConfig, batch: int, ends: tuple[bool, bool] = (False, False)) -> Graph:
    """A block of the GPT on `batch` sequences, from `in` to `out`; with `ends`, the embedding before it and the head behind it.

    Labels: b batch, s and t positions, h width, n heads of keys, g queries to each, d width of a head, f inner width, v vocabulary.
    """
    sizes = {
        "b": batch,
        "s": config.context,
        "t": config.context,
        "h": config.dim,
        "n": config.kv_heads,
        "g": config.heads // config.kv_heads,
        "d": config.head_dim,
        "f": config.ffn,
        "v": config.vocab_size,
    }
    first, last = ends
    ops = [
        Op("embed", "bsv,vh->bsh", (FREE, FREE), (1,), whole="sh", work=0.0)
        if first
        else Op("in", "bsh->bsh", (FREE,), work=0.0),
        *_attention("embed" if first else "in"),
        *_feed_forward(),
    ]
    if last:
        ops += [_norm("norm", "out"), Op("head", "bsh,hv->bsv", ("norm", FREE), (1,), whole="s")]
    return Graph(sizes, tuple(ops))


def _norm(name: str, source: str) -> Op:
    # a row is normalised by its own mean, so the width stays in one piece
    return Op(name, "bsh,h->bsh", (source, FREE), (1,), whole="sh", work=0.0)


def _attention(x: str) -> list[Op]:
    return [
        _norm("attn_norm", x),
        Op("q", "bsh,hngd->bsngd", ("attn_norm", FREE), (1,), whole="sd"),
        Op("k", "bth,hnd->btnd", ("attn_norm", FREE), (1,), whole="td"),
        Op("v", "bth,hnd->btnd", ("attn_norm", FREE), (1,), whole="td"),
        # scores and their use: two products over the same labels
        Op("attend", "bsngd,btnd,btnd->bsngd", ("q", "k", "v"), whole="std", work=4.0),
        Op("o", "bsngd,ngdh->bsh", ("attend", FREE), (1,), whole="sd"),
        Op("attn_add", "bsh,bsh->bsh", (x, "o"), whole="s", work=0.0),
    ]


def _feed_forward() -> list[Op]:
    return [
        _norm("ffn_norm", "attn_add"),
        Op("gate", "bsh,hf->bsf", ("ffn_norm", FREE), (1,), whole="s"),
        Op("up", "bsh,hf->bsf", ("ffn_norm", FREE), (1,), whole="s"),
        Op("gated", "bsf,bsf->bsf", ("gate", "up"), whole="s", work=0.0),
        Op("down", "bsf,fh->bsh", ("gated", FREE), (1,), whole="s"),
        Op("out", "bsh,bsh->bsh", ("attn_add", "down"), whole="s", work=0.0),
    ]
