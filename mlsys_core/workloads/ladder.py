"""A ladder of small models, trained for real: the runs that a scaling law is fitted to.

Idea      Every rung is the same architecture at another width, trained on the same text for several amounts of tokens, each
          amount with a learning rate that falls over exactly that amount: a run that is stopped early is not a short run.
Equation  Run = (N, D, L): parameters that multiply something, tokens seen, loss on text that was held out
Paper     J. Hoffmann et al., "Training compute-optimal large language models", NeurIPS 2022, section 3.1 and appendix B (the
          length of the cosine); J. Kaplan et al., arXiv 2001.08361, section 2.1 (N without the table of embeddings).
Cost      Σ 6 N D FLOPs: seconds to minutes on a laptop's processor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlsys_core.workloads import accounting, text
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.scaling import Run
from mlsys_core.workloads.text import Codes
from mlsys_core.workloads.train import TrainConfig, evaluate, train


def rungs(widths: Iterable[int], *, vocab_size: int = 65, context: int = 64, layers: int = 2) -> list[GPTConfig]:
    """A model for each width (a multiple of 16): heads 16 wide, queries share keys by two where they can, SwiGLU 8/3 wide."""
    made = []
    for width in widths:
        heads = width // 16
        kv_heads = heads // 2 if heads % 2 == 0 else heads
        made.append(
            GPTConfig(vocab_size, context, dim=width, layers=layers, heads=heads, kv_heads=kv_heads, ffn=width * 8 // 3)
        )
    return made


def climb(
    models: Sequence[GPTConfig], steps: Sequence[int], codes: Codes, config: TrainConfig, *, batches: int = 16
) -> list[Run]:
    """A run for every model and every number of steps; losses are those on the last tenth of the text."""
    seen, unseen = text.split(codes)
    runs = []
    for sizes in models:
        for count in steps:
            model, plan = GPT(sizes, config.seed), replace(config, steps=count, warmup=min(config.warmup, count // 4))
            train(model, seen, plan)
            loss = evaluate(model, unseen, batch=config.batch, time=config.time, batches=batches)
            runs.append(Run(accounting.non_embedding(sizes), plan.tokens, loss))
    return runs
