"""The model behind a cache that is kept small: with room for everything it is the model; with less it is worse by degrees."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.compression.kv import (
    H2O,
    KIVI,
    CompressedDecoder,
    Full,
    SnapKV,
    StreamingLLM,
    bytes_a_token,
    continuation_loss,
)
from mlsys_core.serving.contiguous import Decoder, cache_bytes
from mlsys_core.workloads import small_model, text
from mlsys_core.workloads.gpt import GPT, GPTConfig
from tests.mlsys_core.compression.caches import drawn, driven, pieces

TINY = GPTConfig(vocab_size=13, context=64, dim=48, layers=2, heads=6, kv_heads=2, ffn=40)
ROOMY = [StreamingLLM(60), StreamingLLM(64, 0), H2O(30, 34), SnapKV(64, 8), KIVI(2, 32, 64)]
SMALL = [Full(), StreamingLLM(9, 3), H2O(6, 5), SnapKV(12, 4), KIVI(2, 8, 16), KIVI(4, 4, 8), KIVI(8, 2, 8)]


@pytest.fixture(scope="module")
def tiny():
    return GPT(TINY, seed=1).double()


def read(model, policy, tokens, cuts):
    """Logits (B, T, V) of tokens read in pieces, and the decoder."""
    decoder = CompressedDecoder(model, policy)
    return torch.cat([decoder.extend(tokens[:, start:end]) for start, end in cuts], 1), decoder


@pytest.mark.parametrize("prompt", [1, 17, 40])
def test_the_plain_cache_gives_the_models_logits(held, tiny, prompt):
    tokens = torch.randint(13, (3, 40), generator=torch.Generator().manual_seed(prompt))
    cuts = pieces(prompt, 40)
    found, decoder = read(tiny, Full(), tokens, cuts)
    with torch.no_grad():
        held("KV compression: the plain cache", "torch, without a cache", found, tiny(tokens), 1e-12)
    other = Decoder(tiny, 40)
    expected = torch.cat([other.extend(tokens[:, start:end]) for start, end in cuts], 1)
    held("KV compression: the plain cache", "a cache in one piece", found, expected, 1e-12)
    assert decoder.held_bytes == other.held_bytes == 3 * cache_bytes(TINY, 40, 8)
    assert decoder.length == 40


@pytest.mark.parametrize("policy", ROOMY, ids=lambda p: type(p).__name__)
def test_with_room_for_everything_every_bit_is_the_same(tiny, policy):
    tokens = torch.randint(13, (2, 50), generator=torch.Generator().manual_seed(5))
    cuts = pieces(20, 50)
    assert torch.equal(read(tiny, policy, tokens, cuts)[0], read(tiny, Full(), tokens, cuts)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("policy", SMALL, ids=lambda p: type(p).__name__)
def test_the_formula_gives_the_bytes_of_the_tensors(tiny, policy, dtype):
    """At every length, from a prompt of any length on."""
    model = GPT(TINY).to(dtype)
    for prompt in (1, 5, 16, 30):
        decoder = CompressedDecoder(model, policy)
        decoder.extend(torch.zeros(2, prompt, dtype=torch.int64))
        for generated in range(12):
            expected = policy.held_bytes(TINY, prompt, generated, dtype.itemsize)
            assert decoder.held_bytes == 2 * expected
            assert bytes_a_token(policy, TINY, prompt, generated, dtype.itemsize) == expected / (prompt + generated)
            decoder.extend(torch.zeros(2, 1, dtype=torch.int64))


def test_a_text_without_end_takes_no_more_memory():
    endless = [policy.held_bytes(TINY, 1, n) for policy in (StreamingLLM(9, 3), H2O(6, 5)) for n in (50, 50_000)]
    assert endless[0] == endless[1]
    assert endless[2] == endless[3]
    assert Full().held_bytes(TINY, 1, 50_000) > 900 * Full().held_bytes(TINY, 1, 50)


FAMILIES = {
    "StreamingLLM": [StreamingLLM(n - 4) for n in (8, 16, 32, 48)],
    "H2O": [H2O(n // 2, n // 2) for n in (8, 16, 32, 48)],
    "SnapKV": [SnapKV(n, 4) for n in (8, 16, 32, 48)],
    "KIVI": [KIVI(bits, 4, 8) for bits in (2, 4, 8)],
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [20, 21])
def test_outputs_come_closer_to_the_full_caches_with_every_step_of_the_budget(family, seed):
    draw = drawn(seed, 60, batch=4, widths=(8, 12, 16))
    cuts = pieces(48, draw.tokens)
    exact = torch.cat([out for _, _, out, _ in driven(Full(), draw, cuts)][1:], 2)
    errors = []
    for policy in FAMILIES[family]:
        found = torch.cat([out for _, _, out, _ in driven(policy, draw, cuts)][1:], 2)
        errors.append(float((found - exact).norm() / exact.norm()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 2 * errors[-1]


@pytest.fixture(scope="module")
def shakespeare():
    """The trained model, and windows of the text that it never saw."""
    _, held_out = text.split(small_model.VOCABULARY().encode(text.load()))
    windows, _ = next(text.batches(held_out, 12, 193, 1, seed=0))
    return small_model.load(), torch.from_numpy(windows.copy())


def test_perplexity_on_text_by_policy_and_budget(shakespeare):
    """After a prompt of 96 letters, 96 more: nearer to the full cache with every step of the budget.

    Near it, a policy may be better by chance; what was found with 12 texts of two seeds: the smallest budgets lose 0.003 to 0.09 nats,
    the largest are off by 0.0025 at most, four bits by 0.0007, eight by 0.00001.
    """
    model, windows = shakespeare
    full, whole = continuation_loss(model, Full(), windows, 96)
    with torch.no_grad():
        logits = model(windows[:, :-1])[:, 96:]
    plain = torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 97:].flatten())
    assert full == pytest.approx(float(plain), abs=1e-4)
    families = {
        "streaming": [StreamingLLM(n - 4) for n in (16, 48, 96)],
        "h2o": [H2O(n // 2, n // 2) for n in (16, 48, 96)],
        "snap": [SnapKV(n, 8) for n in (16, 48)],
        "kivi": [KIVI(bits) for bits in (2, 4, 8)],
    }
    for policies in families.values():
        found = [continuation_loss(model, policy, windows, 96) for policy in policies]
        losses, sizes = zip(*found, strict=True)
        off = [abs(loss - full) for loss in losses]
        assert off == sorted(off, reverse=True)
        assert losses[0] > full + 0.003
        assert off[-1] < 0.005
        assert list(sizes) == sorted(sizes)
        assert sizes[-1] < whole
    assert off[1] < 0.002, "four bits"
    assert off[2] < 1e-4, "eight bits"


def test_a_prompt_that_leaves_nothing_to_foretell_is_refused(tiny):
    with pytest.raises(ValueError, match="shorter prompt"):
        continuation_loss(tiny, Full(), torch.zeros(1, 9, dtype=torch.int64), 8)
