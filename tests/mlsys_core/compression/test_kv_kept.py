"""Which tokens a policy keeps: those that a plain reading of its paper keeps, token by token, in every head."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from mlsys_core.compression.kv import H2O, SnapKV, StreamingLLM
from mlsys_core.compression.kv.streaming import places_in_ring
from mlsys_core.workloads.gpt import GPTConfig, rope
from tests.mlsys_core.compression.caches import drawn, driven, pieces, turned, weights_by_hand


def heavy_by_hand(draw, b, head, cuts, policy):
    """Kept tokens of one head of keys after each piece, by algorithm 1 of H2O."""
    sums, kept, history = {}, [], []
    for start, end in cuts:
        kept = [*kept, *range(start, end)]
        sums |= dict.fromkeys(range(start, end), 0.0)
        for query in range(start, end):
            for one in range(head * draw.groups, (head + 1) * draw.groups):
                for token, weight in weights_by_hand(draw, b, one, query, kept).items():
                    sums[token] += weight
        if len(kept) > policy.heavy + policy.recent:
            older = sorted(kept[: -policy.recent], key=lambda token: -sums[token])[: policy.heavy]
            kept = [*sorted(older), *kept[-policy.recent :]]
        history.append(kept)
    return history


@pytest.mark.parametrize(
    ("seed", "prompt", "heavy", "recent"), [(0, 11, 4, 3), (1, 1, 3, 2), (2, 5, 0, 4), (3, 9, 6, 1)]
)
def test_h2o_keeps_what_was_read_most_and_the_newest(seed, prompt, heavy, recent):
    draw, policy = drawn(seed, 20), H2O(heavy, recent)
    cuts = pieces(prompt, draw.tokens)
    found = [cache.positions.clone() for *_, cache in driven(policy, draw, cuts)]
    for b in range(draw.batch):
        for head in range(draw.config.kv_heads):
            expected = heavy_by_hand(draw, b, head, cuts, policy)
            assert [one[b, head].tolist() for one in found] == expected


def test_h2o_drops_for_good_and_heads_choose_for_themselves():
    draw = next(one for one in (drawn(seed, 40) for seed in range(20)) if one.config.kv_heads > 1)
    before = None
    for *_, cache in driven(H2O(5, 5), draw, pieces(6, draw.tokens)):
        now = [set(row.tolist()) for row in cache.positions.flatten(0, 1)]
        if before is not None:
            assert all(kept - old <= {cache.seen - 1} for kept, old in zip(now, before, strict=True))
        before = now
    assert len({frozenset(kept) for kept in before}) > 1


def votes_by_hand(draw, b, head, prompt, policy):
    """The averaged votes of the tokens before the window."""
    votes = [0.0] * (prompt - policy.window)
    for query in range(prompt - policy.window, prompt):
        for one in range(head * draw.groups, (head + 1) * draw.groups):
            for token, weight in weights_by_hand(draw, b, one, query, range(prompt)).items():
                if token < len(votes):
                    votes[token] += weight
    half = policy.kernel // 2
    return [sum(votes[max(0, i - half) : i + half + 1]) / policy.kernel for i in range(len(votes))]


@pytest.mark.parametrize(
    ("seed", "budget", "window", "kernel"), [(4, 9, 3, 5), (5, 6, 5, 1), (6, 12, 2, 3), (7, 4, 4, 5)]
)
def test_snapkv_keeps_what_the_end_of_the_prompt_votes_for(seed, budget, window, kernel):
    draw, prompt, policy = drawn(seed, 22), 18, SnapKV(budget, window, kernel)
    history = [cache.positions.clone() for *_, cache in driven(policy, draw, pieces(prompt, draw.tokens))]
    for b in range(draw.batch):
        for head in range(draw.config.kv_heads):
            votes = votes_by_hand(draw, b, head, prompt, policy)
            best = sorted(range(len(votes)), key=lambda token: -votes[token])[: budget - window]
            kept = [*sorted(best), *range(prompt - window, prompt)]
            for later, one in enumerate(history):
                assert one[b, head].tolist() == [*kept, *range(prompt, prompt + later)]


def test_votes_bring_the_neighbours_of_what_is_needed():
    """One vote for token 4 is five of a fifth for tokens 2 to 6; at the edge nothing is outside."""
    weights = torch.zeros(1, 1, 1, 3, 12)
    weights[..., -1, 4] = weights[..., -2, 9] = weights[..., 0, 1] = 1.0  # the third last has no vote
    near, alone = (SnapKV(6, 2, kernel) for kernel in (5, 1))
    assert near.averaged(near.votes(weights))[0, 0].tolist() == pytest.approx([0, 0, *[0.2] * 8])
    assert alone.averaged(alone.votes(weights))[0, 0].nonzero().flatten().tolist() == [4, 9]


def test_the_papers_example_of_places_in_the_cache():
    """With four sinks and three recent tokens, the cache holds 0 1 2 3 6 7 8, and token 9 is read at place 7, not 9."""
    draw = drawn(8, 10)
    *_, (_, _, _, cache) = driven(StreamingLLM(recent=3, sinks=4), draw, pieces(1, 9))
    assert cache.positions[0, 0].tolist() == [0, 1, 2, 3, 6, 7, 8]
    cache.update(draw.k[:, :, 9:], draw.v[:, :, 9:])
    read, kept, theta = cache.attend(draw.q[:, :, 9:]), [0, 1, 2, 3, 6, 7, 8, 9], draw.config.rope_theta
    q, k = rope(draw.q[:, :, 9:], torch.tensor([7]), theta), rope(draw.k[:, :, kept], torch.arange(8), theta)
    expected = F.scaled_dot_product_attention(q, k, draw.v[:, :, kept], enable_gqa=True)
    assert torch.allclose(read, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("seed", "prompt", "sinks", "recent"), [(9, 1, 2, 4), (10, 30, 4, 7), (11, 3, 0, 5), (12, 9, 5, 1)]
)
def test_streaming_reads_sinks_and_a_ring_at_their_places_in_the_cache(held, seed, prompt, sinks, recent):
    draw, found, expected = drawn(seed, 36), [], []
    kept, theta = [], draw.config.rope_theta
    for start, end, read, cache in driven(StreamingLLM(recent, sinks), draw, pieces(prompt, draw.tokens)):
        all_of = [*kept, *range(start, end)]
        q = rope(draw.q[:, :, start:end], torch.arange(len(kept), len(all_of)), theta)
        k = rope(draw.k[:, :, all_of], torch.arange(len(all_of)), theta)
        seen = torch.ones(end - start, len(all_of), dtype=torch.bool).tril(len(kept))
        found.append(read)
        expected.append(F.scaled_dot_product_attention(q, k, draw.v[:, :, all_of], attn_mask=seen, enable_gqa=True))
        kept = [p for p in range(end) if p < sinks or p >= end - recent]
        assert cache.positions.tolist() == torch.tensor(kept).expand(*draw.k.shape[:2], -1).tolist()
        for place, p in enumerate(kept):  # the ring: nothing moved, and the order is known from the count alone
            slot = p if p < sinks else sinks + (p - sinks) % recent
            assert torch.equal(cache.keys[:, :, slot], draw.k[:, :, p])
            assert torch.equal(cache.values[:, :, slot], draw.v[:, :, p])
            assert places_in_ring(end, sinks, recent)[slot] == place
    held("KV compression: StreamingLLM", "SDPA over kept tokens, in order", found, expected, 1e-12)


@pytest.mark.parametrize("policy", [H2O(4, 3), SnapKV(8, 3, 3)])
def test_what_is_kept_is_read_at_its_place_in_the_text(held, policy):
    """H2O and SnapKV leave holes and do not close them."""
    draw = drawn(13, 26)
    q, k = turned(draw)
    cuts = pieces(12, draw.tokens)
    kept, found, expected = None, [], []
    for start, end, read, cache in driven(policy, draw, cuts):
        if kept is not None:
            new = torch.arange(start, end).expand(*draw.k.shape[:2], -1)
            mask = torch.zeros(*draw.k.shape[:3], dtype=torch.bool).scatter(2, torch.cat((kept, new), 2), value=True)
            by_query = mask.repeat_interleave(draw.groups, 1)[:, :, None]
            found.append(read)
            expected.append(
                F.scaled_dot_product_attention(q[:, :, start:end], k, draw.v, attn_mask=by_query, enable_gqa=True)
            )
        kept = cache.positions.long()
    held("KV compression: kept tokens", "SDPA with a mask", found, expected, 1e-12)


def test_budgets_that_keep_nothing_are_refused():
    for wrong in (lambda: StreamingLLM(0), lambda: StreamingLLM(4, -1), lambda: H2O(3, 0), lambda: H2O(-1, 2)):
        with pytest.raises(ValueError, match="last"):
            wrong()
    with pytest.raises(ValueError, match="window"):
        SnapKV(8, 9)
    with pytest.raises(ValueError, match="odd"):
        SnapKV(8, 4, 2)
    assert H2O(3, 1).layer(GPTConfig()).seen == 0
