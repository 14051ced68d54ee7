"""An engine whose cache a policy keeps small.

Idea      The engine asks of a runner only to compute a step, so a policy is a runner. Everything before it stays: requests, batches made
          anew for every step, tables of blocks, preemption. A sequence that keeps fewer tokens has fewer blocks, and more fit.
Equation  sequences at once ≤ blocks / ⌈kept tokens / s⌉
Paper     Those of the policies; W. Kwon et al., "PagedAttention", SOSP 2023, section 4.
Cost      `paged.paged_bytes`, `paged_kivi.coded_bytes`.
"""

from __future__ import annotations

from collections.abc import Callable

from mlsys_core.compression.kv.h2o import H2O
from mlsys_core.compression.kv.kivi import KIVI
from mlsys_core.compression.kv.paged import DroppingRunner
from mlsys_core.compression.kv.paged_kivi import CodedBlocks, CodedRunner
from mlsys_core.compression.kv.paged_streaming import StreamingRunner
from mlsys_core.compression.kv.paged_votes import VotingRunner
from mlsys_core.compression.kv.snapkv import SnapKV
from mlsys_core.compression.kv.streaming import StreamingLLM
from mlsys_core.serving.cache import PagedCache
from mlsys_core.serving.config import EngineConfig
from mlsys_core.workloads.gpt import GPT


def compressed(
    policy: StreamingLLM | H2O | SnapKV | KIVI,
) -> Callable[[GPT, EngineConfig], DroppingRunner | CodedRunner]:
    """What `Engine(model, config, runner=...)` takes. Such an engine serves one output a request and shares no prefixes.

    What a policy drops depends on how a text came: in which pieces its prompt was read, and whether it was preempted with "recompute",
    after which all of it is read again as if it were a prompt ("swap" brings back what was kept). The model's context bounds a text as
    before.

    When it is made, raises ValueError for a configuration that shares or records steps, and with KIVI for one whose blocks are not as
    long as the window, or that swaps to the host.
    """

    def runner(model: GPT, config: EngineConfig) -> DroppingRunner | CodedRunner:
        if config.prefix_cache != "none" or config.decode_sizes:
            raise ValueError(
                "What a policy leaves of a text is of no use to others, and its steps are not recorded: "
                'set prefix_cache="none" and decode_sizes=().'
            )
        if isinstance(policy, KIVI):
            return _coded(model, config, policy)
        weight = model.head.weight
        cache = PagedCache(
            model.config,
            config.blocks,
            config.block_size,
            swap_blocks=config.swap_blocks,
            dtype=weight.dtype,
            device=weight.device,
        )
        if isinstance(policy, StreamingLLM):
            return StreamingRunner(model, cache, policy)
        return VotingRunner(model, cache, policy)

    return runner


def _coded(model: GPT, config: EngineConfig, policy: KIVI) -> CodedRunner:
    """Raises ValueError for blocks of another size than the window, and for a host to swap to."""
    if config.block_size != policy.residual or config.swap_blocks:
        raise ValueError(
            f"Blocks of codes are filled by a window of {policy.residual} tokens, and stay on the device: "
            f"set block_size={policy.residual} and swap_blocks=0."
        )
    return CodedRunner(model, CodedBlocks(model.config, config.blocks, policy, model.head.weight.device))
