"""A needle is found again by the policies whose kept tokens hold it, and by chance of its depth by the others."""

from __future__ import annotations

import pytest
import torch

from mlsys_core.compression.kv import H2O, KIVI, Full, SnapKV, StreamingLLM, bytes_a_token
from mlsys_core.compression.kv.needle import InductionHead, haystacks, recall

LENGTH, BUDGET = 200, 40  # 20 %
HEAD = InductionHead.drawn(64, 64, seed=0)
STACKS = haystacks(128, LENGTH, needle=4, common=32, rare=32, seed=1)


def share(policy):
    return float(recall(policy, HEAD, STACKS).float().mean())


def test_texts_hold_their_needle_once_and_end_with_its_first_word():
    texts, needles, depths = STACKS.texts, STACKS.needles, STACKS.depths
    for one, needle, depth in zip(texts.tolist(), needles.tolist(), depths.tolist(), strict=True):
        assert one[depth : depth + 4] == needle
        assert one[-1] == needle[0]
        assert len(set(needle)) == 4
        assert sum(word >= 32 for word in one) == 5
    assert depths.min() < 20
    assert depths.max() > LENGTH - 24
    with pytest.raises(ValueError, match="does not fit"):
        haystacks(1, 5, needle=5, common=4, rare=9, seed=0)


def test_the_head_errs_never_with_a_full_cache():
    assert share(Full()) == 1


def test_streaming_finds_exactly_the_needles_that_lie_in_its_window():
    policy = StreamingLLM(BUDGET - 4)
    found = recall(policy, HEAD, STACKS)
    for step in range(2):  # the word after next is at depth + 2, then depth + 3
        inside = STACKS.depths + 2 + step >= LENGTH + step - (BUDGET - 4)
        inside |= STACKS.depths + 2 + step < 4
        assert torch.equal(found[:, step], inside)


def test_recall_at_a_fifth_of_the_cache_by_policy():
    """The end of the prompt asks for the needle, so its votes keep it; sums over the whole text do not; few bits keep everything."""
    found = {
        "streaming": share(StreamingLLM(BUDGET - 4)),
        "h2o": share(H2O(BUDGET // 2, BUDGET // 2)),
        "snap": share(SnapKV(BUDGET, 16)),
        "snap, no neighbours": share(SnapKV(BUDGET, 16, 1)),
        "kivi": share(KIVI(2, 32, 32)),
    }
    assert found["snap"] > 0.95
    assert found["kivi"] > 0.95
    # over three draws 16.0 ± 1.1 %, 9.2 ± 1.6 % and 8.0 ± 0.8 %
    assert found["streaming"] < 0.22
    assert found["h2o"] < 0.2
    assert found["snap, no neighbours"] < 0.2


def test_a_fifth_of_the_cache_is_a_fifth_of_its_bytes():
    whole = bytes_a_token(Full(), HEAD.config, 10 * LENGTH, element=2)
    for policy in (StreamingLLM(396), H2O(190, 190), SnapKV(380), KIVI(2, 32, 32)):
        assert bytes_a_token(policy, HEAD.config, 10 * LENGTH, element=2) <= 0.21 * whole
