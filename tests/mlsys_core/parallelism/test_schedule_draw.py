"""Pictures of schedules show each action where and when it is, for those who see and for those who hear."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest

from mlsys_core.parallelism.pipeline import (
    draw_svg,
    draw_text,
    durations,
    equal_stages,
    gpipe,
    interleaved_1f1b,
    one_f_one_b,
    simulate,
    zero_bubble_h1,
)

SVG = "{http://www.w3.org/2000/svg}"
SCHEDULES = [gpipe(3, 4), one_f_one_b(4, 5), interleaved_1f1b(2, 4, 2), zero_bubble_h1(3, 4)]
by_name = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name)


def test_1f1b_looks_as_in_the_paper():
    schedule = one_f_one_b(2, 3)
    assert draw_text(simulate(schedule, equal_stages(schedule))).splitlines() == [
        "rank 0  F0 F1 .  .  B0 -- F2 B1 -- .  B2 --",
        "rank 1  .  F0 B0 -- F1 B1 -- F2 B2 -- .  .",
    ]


@by_name
def test_a_line_of_text_gives_the_times_back(schedule):
    """Read back from the picture: where each label stands and how far it goes on is when the action began and ended."""
    stages = schedule.stages
    timeline = simulate(schedule, durations([1 + s % 2 for s in range(stages)], [2] * stages, Fraction(1, 2)))
    lines = draw_text(timeline).splitlines()
    width = max(len(str(step.action)) for step in timeline.steps) + 1
    assert len(lines) == schedule.ranks
    for rank, line in enumerate(lines):
        cells = re.findall(f".{{1,{width}}}", line.removeprefix(f"rank {rank}  "))
        cells = [cell.strip() for cell in cells]
        for step in timeline.steps:
            if step.rank == rank:
                first = cells.index(str(step.action))
                last = first + 1
                while last < len(cells) and set(cells[last]) == {"-"}:
                    last += 1
                assert (Fraction(first, 2), Fraction(last, 2)) == (step.begun_at, step.ended_at)


def test_times_without_a_common_unit_are_refused():
    with pytest.raises(ValueError, match="use rounder times, or draw it as SVG"):
        draw_text(simulate(gpipe(2, 4), durations([Fraction(1, 7), Fraction(1, 11)], [Fraction(2, 13), 1])))


@by_name
def test_an_svg_has_a_box_for_each_action_at_its_time(schedule):
    timeline = simulate(schedule, equal_stages(schedule, transfer=Fraction(1, 3)))
    root = ET.fromstring(draw_svg(timeline, width=800))
    groups = root.findall(f"{SVG}g")
    assert len(groups) == len(timeline.steps)
    scale = (800 - 64 - 8) / float(timeline.elapsed)
    for step, group in zip(timeline.steps, groups, strict=True):
        box, hint = group.find(f"{SVG}rect"), group.find(f"{SVG}title").text
        assert float(box.get("x")) == pytest.approx(64 + float(step.begun_at) * scale, abs=0.1)
        assert float(box.get("width")) == pytest.approx(float(step.ended_at - step.begun_at) * scale, abs=0.1)
        assert hint.startswith(f"{step.action}: ")
        assert hint.endswith(f"of microbatch {step.action.microbatch} in stage {step.stage}")
    rows = {step.rank: group.find(f"{SVG}rect").get("y") for step, group in zip(timeline.steps, groups, strict=True)}
    assert len(set(rows.values())) == schedule.ranks


@by_name
def test_an_svg_says_what_it_shows_and_takes_its_colours_from_the_page(schedule):
    timeline = simulate(schedule, equal_stages(schedule))
    text = draw_svg(timeline, identity="one")
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    ids = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert root.get("aria-labelledby").split() == list(ids) == ["one-title", "one-desc"]
    assert schedule.name in ids["one-title"]
    assert str(timeline.bubble) in ids["one-desc"]
    for element in root.iter():
        fill = element.get("fill")
        assert fill is None or fill == "currentColor" or fill.startswith("var(--pipeline-")
    assert not re.search(r"<script|<style|style=|on\w+=|href", text)


def test_kinds_differ_by_a_letter_and_a_legend_and_not_by_colour_alone():
    schedule = zero_bubble_h1(2, 3)
    root = ET.fromstring(draw_svg(simulate(schedule, equal_stages(schedule))))
    legend = [element.text for element in root.findall(f"{SVG}text") if not element.text.startswith("rank")]
    assert legend == ["F forward", "I backward: gradient of the input", "W backward: gradients of the weights"]
    labels = {element.text[0] for element in root.findall(f"{SVG}g/{SVG}text")}
    assert labels == {"F", "I", "W"}


def test_a_box_that_is_too_narrow_has_its_label_in_the_hint_only():
    schedule = one_f_one_b(4, 64)
    root = ET.fromstring(draw_svg(simulate(schedule, equal_stages(schedule)), width=400))
    assert not root.findall(f"{SVG}g/{SVG}text")
    assert len(root.findall(f"{SVG}g/{SVG}title")) == 4 * 64 * 2


def test_chunks_differ_by_the_strength_of_their_boxes():
    schedule = interleaved_1f1b(2, 4, 3)
    timeline = simulate(schedule, equal_stages(schedule))
    root = ET.fromstring(draw_svg(timeline))
    strength = {}
    for step, group in zip(timeline.steps, root.findall(f"{SVG}g"), strict=True):
        strength.setdefault(step.action.chunk, set()).add(float(group.find(f"{SVG}rect").get("fill-opacity")))
    assert [len(values) for values in strength.values()] == [1, 1, 1]
    assert max(strength[0]) < max(strength[1]) < max(strength[2]) < 0.6
    assert any("later chunks" in (element.text or "") for element in root.findall(f"{SVG}text"))
