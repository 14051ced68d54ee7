"""PagedAttention: what it costs to keep room for the longest text, and what blocks leave idle.

Idea      Keys and values of a token are large, and how many tokens a request will have is not known. Room in one piece must be for the
          longest text; blocks are taken as the text grows, so that only the last one is not full.
Equation  bytes a token = 2 · 2 · layers · width in 16 bit;   slots in use: reserved n / longest, in blocks n / (n + (b - 1)/2)
Paper     W. Kwon et al., "Efficient memory management for large language model serving with PagedAttention", SOSP 2023, sections 2.2,
          3.1 and 4, figures 2 and 13.
Cost      Constant.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlsys_core.papers.study import Cell, Figure, Knob, Line, Row, Study, Table

KIB = 1024
OPT_13B_LAYERS, OPT_13B_WIDTH, OPT_13B_PARAMETERS = 40, 5120, 13e9
LONGEST = 2048
# of the memory, in percent: keys and values of tokens; kept for tokens to come; never used; between pieces, and the rest
SPLIT = {
    "Orca (Max)": (20.4, 13.3, 57.3, 8.9),
    "Orca (Pow2)": (26.8, 17.9, 13.6, 41.6),
    "Orca (Oracle)": (38.2, 25.2, 0.0, 36.6),
}


def kv_bytes_a_token(layers: int, width: int, element_size: int = 2) -> int:
    """Bytes of keys and values of a token, with as many heads of keys as of queries."""
    return 2 * element_size * layers * width


def slots(memory_bytes: float, parameters: float, token_bytes: float, share: float = 0.9) -> int:
    """Tokens for which there is room beside 16-bit weights, in a share of the memory."""
    return int((share * memory_bytes - 2 * parameters) // token_bytes)


def in_use_blocks(tokens: float, block: int) -> float:
    """Part of the slots of a sequence of about so many tokens that hold one: its last block is half empty on average."""
    return tokens / (tokens + (block - 1) / 2)


def in_use_reserved(tokens: float, longest: int = LONGEST) -> float:
    """The same where room for the longest text is kept."""
    return tokens / longest


TOKEN = Table(
    "Section 3: keys and values of a token, 16 bit",
    "Model",
    ("KB",),
    (Row("OPT-13B: 40 layers, width 5,120", (Cell(800, kv_bytes_a_token(OPT_13B_LAYERS, OPT_13B_WIDTH) / KIB, 0),)),),
)
REST = Table(
    "Figure 2: the memory that is not given out, percent",
    "System",
    ("What the others leave",),
    tuple(
        Row(
            f"{name}: {tokens} in use, {later} for later, {never} never used",
            (Cell(rest, 100 - tokens - later - never),),
        )
        for name, (tokens, later, never, rest) in SPLIT.items()
    ),
)
BATCH = Table(
    "Figure 13: requests at once on one A100 of 40 GB, where room is kept for 2,048 tokens each",
    "Requests",
    ("Mean batch",),
    tuple(
        Row(
            name,
            (
                Cell(
                    7.00,
                    slots(40 * 2**30, OPT_13B_PARAMETERS, kv_bytes_a_token(OPT_13B_LAYERS, OPT_13B_WIDTH)) // LONGEST,
                    2,
                ),
            ),
        )
        for name in ("ShareGPT, 2 a second", "Alpaca, 30 a second")
    ),
)


def _figure(knobs: Mapping[str, float]) -> Figure:
    # an output is half written on average
    tokens, longest = knobs["prompt"] + knobs["output"] / 2, int(knobs["longest"])
    blocks = [2**k for k in range(12)]
    lines = (
        Line("blocks", tuple((b, 100 * in_use_blocks(tokens, b)) for b in blocks)),
        Line(f"room for {longest:,} tokens", tuple((b, 100 * in_use_reserved(tokens, longest)) for b in blocks)),
    )
    return Figure(
        "Slots given out that hold a token",
        "tokens in a block",
        "%",
        lines,
        f"In blocks of 16, {100 * in_use_blocks(tokens, 16):.1f} % of the slots given out hold a token; with room for {longest:,} tokens "
        f"each, {100 * in_use_reserved(tokens, longest):.1f} % do.",
        log_x=True,
    )


STUDY = Study(
    slug="vllm",
    title="Efficient Memory Management for Large Language Model Serving with PagedAttention",
    venue="SOSP 2023",
    arxiv="2309.06180",
    idea="A batch is as large as the keys and values that fit. Systems that keep room for the longest text fill a fifth of the memory with "
    "tokens; in blocks of 16, vLLM filled 96.3 % of it, and ran 30.4 requests at once where they ran 7 to 13.6 (OPT-13B, ShareGPT, 2 "
    "requests a second): 2 to 4 times the throughput, though its attention kernel is 20 to 26 % slower. Sharing the blocks of a prompt "
    "saved 6 to 10 % more for parallel samples and 38 to 55 % for beam search.",
    formulas=("bytes a token = 4 · layers · width", "blocks: n / (n + (b - 1)/2)", "room for the longest: n / longest"),
    tables=(TOKEN, REST, BATCH),
    knobs=(
        Knob("prompt", "Tokens of a prompt, mean", 160, 1, 1024),
        Knob("output", "Tokens of an output, mean", 340, 1, 1024),
        Knob("longest", "Longest text, tokens", 2048, 2048, 131_072),
    ),
    figure=_figure,
)
