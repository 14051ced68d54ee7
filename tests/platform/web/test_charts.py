"""A measured check with charts, as its page shows it: the sentence first, the run inside of the drawing, the same as numbers."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.template.loader import render_to_string

from grader.checks.charts import roofline, traffic
from grader.contract import Measurement


def shown(*charts) -> str:
    measured = Measurement("bytes loaded over the least", 2.0, "×", 1.05, 3.0, 2.0, 2.0, charts=charts)
    context = {"measurement": measured, "score": 1.0, "max_score": 2.0}
    return unescape(render_to_string("components/measurement.html", context))


def test_the_sentence_the_run_and_the_numbers_are_there():
    says = "You read K 16 times; BLOCK_M = 128 reads it 4 times."
    html = shown(
        traffic(lambda rows: 4e6 / rows, blocks=(16, 64), block=32, moved=2e5, floor=4e4, name="BLOCK_M", says=says)
    )
    assert f"<strong>{says}</strong>" in html
    assert 'class="line-you"' in html
    assert "This run: 200,000 bytes at BLOCK_M 32." in html
    assert html.count("<th scope") == 1 + 3 + 2, "a column a block, a row a line"


@pytest.mark.parametrize(("intensity", "rate"), [(0.01, None), (50, 2e9), (400, 9e14), (1e5, None)])
def test_a_run_lies_inside_of_the_drawing_however_far_it_is_from_the_roof(intensity, rate):
    html = shown(roofline(device="H100", peak=989e12, bandwidth=3.35e12, intensity=intensity, rate=rate))
    x, y = (float(value) for value in re.search(r'<circle class="line-you" cx="([\d.]+)" cy="([\d.]+)"', html).groups())
    assert 76 <= x <= 720
    assert 0 <= y <= 340
    for points in re.findall(r'points="([^"]*,[^"]*)"', html):
        for place in points.split():
            assert all(-1 <= float(value) <= 721 for value in place.split(","))


def test_a_quantity_without_charts_has_none():
    assert "line-chart" not in shown()
