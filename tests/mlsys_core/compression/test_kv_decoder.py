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
    """The trained model, and how windows of the text that it never saw are drawn: how many, how long."""
    _, held_out = text.split(small_model.VOCABULARY().encode(text.load()))

    def windows(count, length):
        return torch.from_numpy(next(text.batches(held_out, count, length + 1, 1, seed=0))[0].copy())

    return small_model.load(), windows


def test_perplexity_on_text_by_policy_and_budget(shakespeare):
    """After a prompt of 96 letters, 40 more.

    By the benchmark, over three seeds and with a prompt of 128, a cache of 16 letters loses 0.035 ± 0.011 nats with StreamingLLM and
    0.044 ± 0.013 with H2O; one of 96 letters -0.001 ± 0.001 and 0.001 ± 0.002; SnapKV, which keeps all letters after the prompt,
    0.002 ± 0.001; two bits 0.007 ± 0.002, four 0.001 ± 0.001.
    """
    model, draw = shakespeare
    windows = draw(16, 136)
    full, whole = continuation_loss(model, Full(), windows, 96)
    with torch.no_grad():
        logits = model(windows[:, :-1])[:, 96:]
    plain = torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 97:].flatten())
    assert full == pytest.approx(float(plain), abs=1e-4)
    for few, many in ((StreamingLLM(12), StreamingLLM(92)), (H2O(8, 8), H2O(48, 48))):
        (tight, small), (wide, large) = (continuation_loss(model, policy, windows, 96) for policy in (few, many))
        assert tight > full + 0.01
        assert abs(wide - full) < 0.005
        assert small < large < whole
    assert abs(continuation_loss(model, SnapKV(16, 8), windows, 96)[0] - full) < 0.01
    found = [continuation_loss(model, KIVI(bits), windows, 96) for bits in (2, 4)]
    off = [abs(loss - full) for loss, _ in found]
    assert off == sorted(off, reverse=True)
    assert off[0] < 0.03
    assert off[1] < 0.003
    assert [held for _, held in found] == sorted(held for _, held in found)
    assert found[-1][1] < whole


def test_a_text_longer_than_the_model_was_trained_for_is_read_through_a_window(shakespeare):
    """Trained on 256 letters, the model sees distances in a full cache that it has never seen; by places in the cache it never does."""
    model, draw = shakespeare
    windows = draw(8, 448)
    late = {}
    for policy in (Full(), StreamingLLM(92)):
        decoder = CompressedDecoder(model, policy)
        logits = torch.cat([decoder.extend(piece) for piece in windows[:, :-1].split(32, dim=1)], 1)
        losses = torch.nn.functional.cross_entropy(logits.mT, windows[:, 1:], reduction="none").mean(0)
        late[policy] = float(losses[320:].mean())
    assert late[StreamingLLM(92)] < 2.1
    assert late[Full()] > late[StreamingLLM(92)] + 0.8, "1.1 and more, in three draws"


def test_a_prompt_that_leaves_nothing_to_foretell_is_refused(tiny):
    with pytest.raises(ValueError, match="shorter prompt"):
        continuation_loss(tiny, Full(), torch.zeros(1, 9, dtype=torch.int64), 8)
