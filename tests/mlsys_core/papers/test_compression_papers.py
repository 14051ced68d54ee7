"""The papers about compression: formulas against the layers of this library and their bytes, and the order of what was measured."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mlsys_core.compression.lora import LoRALinear
from mlsys_core.compression.masks import NM, Unstructured
from mlsys_core.compression.nf4 import nf4_bits
from mlsys_core.papers import lora, sparsity


@pytest.mark.parametrize(("layers", "width", "rank", "matrices"), [(2, 24, 3, 2), (1, 10, 1, 4), (3, 8, 8, 1)])
def test_what_learns_is_what_adapters_of_torch_hold(layers, width, rank, matrices):
    adapters = [LoRALinear(nn.Linear(width, width), rank, 1.0) for _ in range(layers * matrices)]
    counted = sum(p.numel() for one in adapters for p in one.parameters() if p.requires_grad)
    assert lora.learning(layers, width, rank, matrices) == counted


def test_about_ten_thousand_times_fewer_at_rank_four():
    """175 billion, and 18.9 million: 9,272 times, which the abstract rounds."""
    assert round(175e9 / lora.learning(96, 12_288, 4), -3) == 9000
    assert lora.STUDY.figure(lora.STUDY.settings({})[0]).says == (
        "Of 173.9 billion parameters 18.9 million learn at rank 4, 9,216 times fewer."
    )
    for row in lora.ADAPTERS.rows:
        assert all(abs(cell.computed - cell.published) < 0.05 for cell in row.cells), row.label


@pytest.mark.parametrize(("block", "second"), [(64, 256), (64, None), (32, 100)])
def test_bits_of_scales_are_those_of_nf4(block, second):
    assert 4 + lora.constants_bits(block, second) == pytest.approx(nf4_bits(block, second), abs=1e-12)


def test_less_is_kept_where_less_learns():
    parameters, adapters = 7e9, 20e6
    kept = [lora.full_bytes(parameters), lora.lora_bytes(parameters, adapters), lora.qlora_bytes(parameters, adapters)]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == 112e9
    assert kept[1] == 14.32e9
    assert kept[2] == pytest.approx(7e9 * 4.127 / 8 + 0.32e9, rel=1e-4)


def test_bits_of_zeros_are_those_of_the_masks():
    for share, bits in ((0.5, 16), (0.75, 4)):
        assert sparsity.bitmap_bits(bits, share) == Unstructured(share).bits_a_weight(bits)
    for kept, of in ((2, 4), (4, 8), (1, 4)):
        assert sparsity.group_bits(8, kept, of) == NM(kept, of).bits_a_weight(8)
    weight = torch.randn(64, 64)
    stay = int(NM(2, 4).mask(weight.abs()).sum())
    assert sparsity.group_bits(16, 2, 4) * weight.numel() == stay * (16 + 2)


def test_what_was_measured_has_the_order_that_the_page_speaks_of():
    """Magnitude loses most everywhere, the narrower pattern costs more, larger models lose less."""
    for pattern in sparsity.PATTERNS:
        magnitude, sparsegpt, wanda = (sparsity.PERPLEXITY[pattern, method] for method in sparsity.METHODS)
        for dense, *others in zip(sparsity.DENSE, sparsegpt, wanda, magnitude, strict=True):
            assert dense < min(others)
            assert max(others) == others[-1]
    for method in sparsity.METHODS:
        for at in range(3):
            one, two, three = (sparsity.PERPLEXITY[pattern, method][at] for pattern in sparsity.PATTERNS)
            assert one < two < three
    assert sparsity.PERPLEXITY["50 %", "Wanda"][0] < sparsity.PERPLEXITY["50 %", "SparseGPT"][0]
    assert sparsity.PERPLEXITY["2:4", "SparseGPT"][0] < sparsity.PERPLEXITY["2:4", "Wanda"][0]


@pytest.mark.parametrize(("knob", "pattern"), [("1", "50 %"), ("2", "4:8"), ("3", "2:4")])
def test_the_knob_chooses_the_pattern(knob, pattern):
    figure = sparsity.STUDY.figure(sparsity.STUDY.settings({"pattern": knob})[0])
    assert figure.title.endswith(f"{pattern} of the weights")
    assert dict(figure.lines[0].points)[7] == sparsity.PERPLEXITY[pattern, "magnitude"][0]
