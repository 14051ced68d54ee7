"""The engine with the library's kernels: mixed batches read what the definition in torch reads."""

from __future__ import annotations

import torch

from mlsys_core.serving.attention import TorchAttention
from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.kernel_attention import KernelAttention
from mlsys_core.serving.sampling import SamplingParams
from mlsys_core.serving.scheduler import SchedulerConfig
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.kernels.where import DEVICE

SMALL = GPTConfig(vocab_size=31, context=64, dim=32, layers=1, heads=2, kv_heads=1, ffn=32)


def test_an_engine_has_the_same_tokens_and_probabilities_with_kernels_as_without(held):
    """Chunks of prompts and single tokens in one batch; steps of fixed size, which a GPU records."""
    model, found = GPT(SMALL).to(DEVICE), []
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(10) if weight.ndim == 2 else None
    limits = SchedulerConfig(token_budget=8, max_sequences=4)
    for attention in (TorchAttention(), KernelAttention()):
        config = EngineConfig(blocks=16, block_size=4, decode_sizes=(2,), scheduler=limits)
        engine = Engine(model, config, attention=attention)
        for prompt in ([1, 2, 3], list(range(11))):
            engine.add_request(prompt, SamplingParams(max_tokens=5, temperature=0.0))
        said = {}
        while engine.busy:
            for output in engine.step():
                said.setdefault(output.request, []).extend(zip(output.tokens, output.logprobs, strict=True))
        found.append(said)
    torch_said, kernels_said = found
    for request, drawn in torch_said.items():
        assert [token for token, _ in drawn] == [token for token, _ in kernels_said[request]]
        ours, theirs = ([p for _, p in one[request]] for one in (kernels_said, torch_said))
        held("serving: log-probabilities", "torch on gathered blocks", ours, theirs, 1e-4)
