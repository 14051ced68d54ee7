"""Every paper that has a page, in the order of the course's reading list; those beside it come last.

Idea      One list; what shows them asks nothing else.
Equation  None.
Paper     Each study's own.
Cost      None.
"""

from __future__ import annotations

from mlsys_core.papers import (
    alpa,
    efficient_inference,
    flash_attention,
    gptq,
    lora,
    megatron,
    orca,
    sglang,
    sparsity,
    speculative,
    vllm,
    zero,
)
from mlsys_core.papers.study import Study

STUDIES: tuple[Study, ...] = (
    megatron.STUDY,
    zero.STUDY,
    alpa.STUDY,
    flash_attention.STUDY,
    orca.STUDY,
    efficient_inference.STUDY,
    vllm.STUDY,
    sglang.STUDY,
    gptq.STUDY,
    speculative.STUDY,
    sparsity.STUDY,
    lora.STUDY,
)
