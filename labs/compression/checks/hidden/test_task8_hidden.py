"""Task 8, hidden check: the hypervolume of the student's models of the small language model."""

from __future__ import annotations

import math

import pytest
from hidden import area, language

pytestmark = [pytest.mark.task("8"), pytest.mark.hidden]

FULL, NONE = 0.6, 0.35


@pytest.mark.points(0.65)
@pytest.mark.measured
@pytest.mark.hint(
    "Fewer bytes at the same loss: smaller groups cost scales, larger ones cost loss. Mend each column's error in those after it.",
    handout="3.33",
)
def test_hypervolume(student, rng, expect, measure):
    """compress_model: the area that the models dominate, in halvings of the bytes and nats"""
    whole, text = language.load(), language.windows(rng, 16, held_out=True)
    inputs = language.inputs(whole, language.windows(rng, 8, held_out=False))
    weights = {name: whole[name] for name in language.matrices()}
    hessians = {name: inputs[name].T @ inputs[name] / len(inputs[name]) for name in weights}
    models = student.call("compressed_models", weights=weights, hessians=hessians)
    expect.that(isinstance(models, list) and models, "compress_model returned no models")
    dense, full_bytes = math.log(language.perplexity(whole, text)), 2.0 * sum(one.size for one in weights.values())
    points = []
    for model in models:
        new, size = area.written_out(expect, model, weights)
        points.append((size, math.log(language.perplexity(whole | new, text)) - dense))
    told = "; ".join(f"{size / full_bytes:.3f} of the bytes, {loss:+.3f} nats" for size, loss in sorted(points))
    measure.ratio(
        f"share of the plane ({told})", area.dominated(points, full_bytes), full_at=FULL, zero_at=NONE, unit=""
    )
