"""The GPT refuses sizes that do not fit, and does what a causal language model must."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mlsys_core.workloads.gpt import GPT, GPTConfig


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"dim": 10, "heads": 4, "kv_heads": 2}, "cannot be shared by 4 heads"),
        ({"dim": 24, "heads": 6, "kv_heads": 4}, "cannot share 4 heads of keys"),
        ({"dim": 12, "heads": 4, "kv_heads": 2}, "3 wide have no pairs"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        GPTConfig(**sizes)


@pytest.mark.parametrize("seed", range(4))
def test_no_place_sees_what_comes_after_it(seed):
    model = GPT(GPTConfig(layers=2), seed).double()
    draws = torch.Generator().manual_seed(seed)
    tokens = torch.randint(65, (2, 9), generator=draws)
    changed = tokens.clone()
    changed[:, 5:] = torch.randint(65, (2, 4), generator=draws)
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


@pytest.mark.parametrize("seed", range(4))
def test_grouped_attention_is_attention_with_keys_written_out_for_each_head(held, seed):
    """One layer, spelled out with repeated keys and values and a mask, on torch's plain matrix products."""
    config = GPTConfig(heads=6, kv_heads=2, dim=48, layers=1)
    model = GPT(config, seed).double()
    layer = model.blocks[0].attn
    x = torch.randn(3, 7, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    positions = torch.arange(7)
    angles = positions[:, None] * 10_000.0 ** (-torch.arange(4, dtype=torch.float64) / 4)
    turn = torch.polar(torch.ones_like(angles), angles)

    def turned(heads):
        pairs = torch.complex(heads[..., :4].contiguous(), heads[..., 4:].contiguous()) * turn
        return torch.cat((pairs.real, pairs.imag), dim=-1)

    q, k, v = (p(x).view(3, 7, -1, 8).transpose(1, 2) for p in (layer.q_proj, layer.k_proj, layer.v_proj))
    k, v = k.repeat_interleave(3, dim=1), v.repeat_interleave(3, dim=1)
    scores = turned(q) @ turned(k).transpose(-1, -2) / 8**0.5
    hidden = torch.ones(7, 7, dtype=torch.bool).triu(1)
    read = F.softmax(scores.masked_fill(hidden, -torch.inf), dim=-1) @ v
    expected = layer.o_proj(read.transpose(1, 2).reshape(3, 7, 48))
    held("workloads: GPT's attention", "repeated keys, complex turns", layer(x, positions), expected, 1e-12)


def test_a_new_model_guesses_evenly_and_tied_tables_are_one():
    tokens = torch.randint(65, (4, 16), generator=torch.Generator().manual_seed(0))
    assert GPT(GPTConfig()).loss(tokens, tokens.roll(1)).item() == pytest.approx(
        torch.tensor(65.0).log().item(), abs=0.05
    )
    model = GPT(GPTConfig(tie_embeddings=True))
    assert model.head.weight is model.embed.weight
