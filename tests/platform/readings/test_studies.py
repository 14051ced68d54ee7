"""Published tables as pages: every one opens with every knob at its ends, and what cannot be is told beside a figure that can."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from mlsys_core.papers.studies import STUDIES
from readings.models import Paper
from tests.factories import ReadingFactory

pytestmark = pytest.mark.django_db


def page(client, world, study: str, **knobs: str):
    return client.get(reverse("study", args=[world.offering.slug, study]), knobs)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.slug)
def test_a_study_shows_every_published_number_beside_the_computed_one(world, browser, study):
    text = unescape(page(browser(world.student), world, study.slug).content.decode())
    for table in study.tables:
        for row in table.rows:
            assert row.label in text
            for cell in row.cells:
                assert f"{cell.published:,.12g}</td>" in text
                assert f"{cell.computed:,.{cell.digits}f}</td>" in text
    assert study.figure(study.settings({})[0]).says in text


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.slug)
def test_lines_stay_inside_of_the_chart_at_both_ends_of_every_knob(world, browser, study):
    client = browser(world.student)
    for knob in study.knobs:
        for value in (knob.low, knob.high):
            answer = page(client, world, study.slug, **{knob.name: f"{value:.12g}"})
            assert answer.status_code == 200
            text = answer.content.decode()
            drawn = re.findall(r'<polyline class="line line-\d" points="([^"]*)"', text)
            places = [tuple(map(float, point.split(","))) for line in drawn for point in line.split()]
            assert len(drawn) >= 2
            assert all(0 <= x <= 720 and 0 <= y <= 340 for x, y in places)
            assert not re.search(r"\b(nan|inf)\b", text)


def test_a_knob_that_cannot_be_is_told_and_the_figure_stands(world, browser):
    answer = page(browser(world.student), world, "zero", billions="many<script>", memory="0")
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "Parameters, 10⁹: &#x27;many&lt;script&gt;&#x27; is no number." in text
    assert "Memory of a device, GB: 0 is outside of 8 to 1000." in text
    assert "<polyline" in text


def test_a_paper_on_the_list_leads_to_its_table_and_back(world, browser):
    paper = Paper.objects.create(title="ZeRO", arxiv_id="1910.02054")
    reading = ReadingFactory(assignment__offering=world.offering, assignment__number=2, paper=paper)
    client, here = browser(world.student), world.offering.slug
    there = reverse("study", args=[here, "zero"])
    assert there in client.get(reverse("reading", args=[here, reading.assignment.slug])).content.decode()
    assert "Reading 2" in client.get(there).content.decode()
    assert "Reading 2" in client.get(reverse("studies", args=[here])).content.decode()
    reading.hidden = True
    reading.save()
    assert "Reading 2" not in client.get(reverse("studies", args=[here])).content.decode()
    assert "Reading 2" in browser(world.ta).get(reverse("studies", args=[here])).content.decode()


def test_a_paper_that_is_not_at_arxiv_has_its_table_too(world, browser):
    """And no other paper without a number is taken for it."""
    papers = [
        Paper.objects.create(title="Orca", url="https://www.usenix.org/conference/osdi22/presentation/yu"),
        Paper.objects.create(title="Another", url="https://example.org/another"),
    ]
    client, here = browser(world.student), world.offering.slug
    for number, (paper, has) in enumerate(zip(papers, (True, False), strict=True), 2):
        reading = ReadingFactory(assignment__offering=world.offering, assignment__number=number, paper=paper)
        text = client.get(reverse("reading", args=[here, reading.assignment.slug])).content.decode()
        assert (reverse("study", args=[here, "orca"]) in text) is has
    there = client.get(reverse("study", args=[here, "orca"])).content.decode()
    assert "Reading 2" in there
    assert papers[0].url in there
    assert "arXiv" not in there


def test_there_is_no_table_of_another_name(world, browser):
    assert page(browser(world.student), world, "moby-dick").status_code == 404
