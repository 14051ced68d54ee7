"""The oracle of the engine: one sequence at a time, the whole of it computed again for every token, without a cache."""

from __future__ import annotations

from functools import lru_cache

import torch

from mlsys_core.serving.sampling import generator_for, pick, probabilities
from mlsys_core.workloads.gpt import GPT, GPTConfig

torch.set_num_threads(1)  # two of these, with little to do, only wait for each other

# float64, so that two ways of summing do not differ by as much as two of the logits do
TINY = GPTConfig(vocab_size=11, context=48, dim=16, layers=2, heads=4, kv_heads=2, ffn=24)


@lru_cache
def tiny_model(seed=0):
    """A model of a few thousand weights, ten times as large as usual, so that its outputs do not repeat one token."""
    model = GPT(TINY, seed).double()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(10)
    return model.eval()


def generate(model, prompt, params, choice=0):
    """One output's tokens and why it ended, by the definition."""
    tokens, numbers = list(prompt), generator_for(params.seed or 0, choice)
    for _ in range(params.max_tokens):
        logits = _logits(model, tuple(tokens))
        uniform = torch.rand((), dtype=torch.float64, generator=numbers)
        tokens.append(int(pick(probabilities(logits, params), uniform)))
        output = tokens[len(prompt) :]
        for stop in params.stop:
            if tuple(output[-len(stop) :]) == tuple(stop):
                return output[: -len(stop)], "stop"
    return tokens[len(prompt) :], "length"


@lru_cache(maxsize=4096)
def _logits(model, tokens):
    with torch.inference_mode():
        return model(torch.tensor([tokens]))[0, -1]
