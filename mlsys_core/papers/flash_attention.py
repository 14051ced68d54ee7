"""FlashAttention: the same numbers with fewer trips to memory.

Idea      Attention is slow because its N × N matrix travels to memory and back, not because it is computed. Computed block by
          block, with a running maximum and sum, the matrix never leaves the chip.
Equation  standard: Θ(N d + N²) elements;   blocks of B rows of Q: 2 N d + 2 N d · N/B elements, and with B = Θ(M/d): Θ(N² d²/M)
Paper     T. Dao et al., "FlashAttention: fast and memory-efficient exact attention with IO-awareness", NeurIPS 2022, theorem 2
          and figure 2 (left).
Cost      Forward 4 N² d operations either way; backward 8 N² d, and 10 N² d when the matrix is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table


def standard_elements(n: int, d: int) -> int:
    """Elements that one head's forward pass moves when the scores and the weights travel: Q, K, V in, O out, and the N × N matrix
    written and read as scores and again as weights."""
    return 4 * n * d + 4 * n * n


def flash_loaded_elements(n: int, d: int, rows: int) -> int:
    """Elements that one head's forward pass reads: Q once, and K and V once for every block of `rows` rows of Q."""
    return n * d + 2 * n * d * -(-n // rows)


def flash_elements(n: int, d: int, rows: int) -> int:
    """Elements read and written by one head's forward pass: the output is written once."""
    return flash_loaded_elements(n, d, rows) + n * d


def rows_that_fit(sram_elements: int, d: int) -> int:
    """Rows of Q in a block, when a block of each of Q, K, V and O shares the fast memory: M / (4 d), and at least one."""
    return max(1, sram_elements // (4 * d))


def flops(n: int, d: int) -> int:
    """Multiplications and additions of one head's forward pass: scores and their product with V."""
    return 4 * n * n * d


# one head, D = 64, 32-bit: what kernels of these blocks were counted to read
BLOCKS = Table(
    "Bytes that a forward kernel reads for one head of 512 × 64 in 32 bit, counted in the interpreter by blocks of rows",
    "Rows of Q in a block",
    ("Bytes read",),
    tuple(
        Row(str(rows), (Cell(counted, 4 * flash_loaded_elements(512, 64, rows), 0),))
        for rows, counted in ((32, 4_325_376), (64, 2_228_224), (128, 1_179_648))
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    d, kilobytes = int(knobs["d"]), knobs["sram"]
    rows = rows_that_fit(int(kilobytes * 1024) // 2, d)
    lengths = [2**k for k in range(7, 16)]
    megabytes = {
        "the matrix in memory": [2 * standard_elements(n, d) / 1e6 for n in lengths],
        f"blocks of {rows} rows": [2 * flash_elements(n, d, rows) / 1e6 for n in lengths],
    }
    lines = tuple(Line(label, tuple(zip(lengths, values, strict=True))) for label, values in megabytes.items())
    ratio = standard_elements(8192, d) / flash_elements(8192, d, rows)
    return Figure(
        "Traffic of one head, forward, 16 bit",
        "sequence length",
        "MB",
        lines,
        f"At length 8,192, blocks of {rows} rows move {ratio:.1f} times less than the matrix in memory does.",
        log_x=True,
        log_y=True,
    )


STUDY = Study(
    slug="flash-attention",
    title="FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
    venue="NeurIPS 2022",
    arxiv="2205.14135",
    idea="The paper's own measurement on an A100 (GPT-2 medium, length 1,024, forward and backward): 40.3 GB of traffic become 4.4, and "
    "41.7 ms become 7.3, though operations rise from 66.6 to 75.2 GFLOP. What can be counted without a GPU is the theorem: traffic falls "
    "as blocks grow.",
    formulas=("standard: 4 N d + 4 N²", "blocks: 2 N d + 2 N d ⌈N / B⌉", "B = M / (4 d)  ⇒  Θ(N² d² / M)"),
    tables=(BLOCKS,),
    knobs=(Knob("d", "Head dimension", 64, 16, 256), Knob("sram", "Fast memory, KB", 192, 16, 256, whole=False)),
    figure=_figure,
)
