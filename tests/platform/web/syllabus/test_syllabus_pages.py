"""Topics and the library as pages: each opens, says what it should to whom, and asks the database as often for much as for little."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assignments.models import Assignment
from config import clock
from mlsys_core.papers.studies import STUDIES
from readings.models import Paper
from tests.factories import AssignmentFactory, ReadingFactory, SessionFactory, summary
from web.seed.facts import WEEKS
from web.syllabus.docstrings import docstring_of
from web.syllabus.library import files, packages
from web.syllabus.pages import library_pages
from web.syllabus.source import render_source
from web.syllabus.topic import ZERO, LabTasks
from web.syllabus.topics import TOPICS

pytestmark = pytest.mark.django_db


@pytest.fixture
def see(world, browser):
    """`see("topic", "zero")`: the page as text, as a student of the offering sees it."""

    def go(name: str, *args: str, who=None):
        response = browser(who or world.student).get(reverse(name, args=[world.offering.slug, *args]))
        assert response.status_code == 200
        return unescape(response.content.decode())

    return go


def listed(world, **more) -> Assignment:
    paper = Paper.objects.create(title="Less memory for training", arxiv_id="1910.02054", venue="SC", year=2020)
    return ReadingFactory(assignment__offering=world.offering, assignment__number=2, paper=paper, **more).assignment


@pytest.mark.parametrize("slug", TOPICS)
def test_every_topic_opens_with_all_that_it_names(see, slug):
    topic, text = TOPICS[slug], see("topic", slug)
    assert f"<h1>{topic.title}</h1>" in text
    for study in STUDIES:
        assert (study.title in text) is (study.slug in topic.studies)
    for name in topic.pages:
        assert name not in library_pages() or library_pages()[name].title in text
    for path in topic.modules:
        assert f"mlsys_core/{path}" not in {*files(), *packages()} or f"mlsys_core/{path}" in text
    assert len(text) < 120_000


def test_a_module_of_every_package_has_a_page_with_its_source(world, browser):
    """And the longest of all. What stands on the lines of every module is held by the tests of the library."""
    client = browser(world.student)
    some = {file.package: file for file in files().values()} | {"longest": max(files().values(), key=lambda f: f.lines)}
    for file in some.values():
        url = reverse("library-source", args=[world.offering.slug, file.path])
        response = client.get(url)
        assert response.status_code == 200, file.path
        assert len(response.content) < 120_000, file.path
        prefix, after = url.removesuffix(file.path), docstring_of(file.text()).last_line
        source = render_source(file.text(), after=after, prefix=prefix, python=file.is_python)
        assert source in response.content.decode(), file.path


def test_every_package_has_a_page(world, browser):
    client = browser(world.student)
    for path, package in packages().items():
        text = client.get(reverse("library-source", args=[world.offering.slug, path])).content.decode()
        assert f">{path}</h1>" in text
        assert all(f">{file.name}</a>" in text for file in package.files)
        assert all(f'/{inner}"' in text for inner in package.packages)


def test_every_page_of_the_library_opens(see):
    for name, page in library_pages().items():
        assert f"<h1>{page.title}</h1>" in (see("library-page", name) if name != "README" else see("library"))


OUTSIDE = (
    "manage.py",
    "platform/config/settings.py",
    "labs/autodiff/notebook.ipynb",
    "mlsys_core/workloads/data/shakespeare.txt",
    "mlsys_core/workloads/data",
    "mlsys_core/",
    "mlsys_core/../manage.py",
    "mlsys_core/../platform/config/settings.py",
    "mlsys_core/./serving/blocks.py",
    "mlsys_core//serving/blocks.py",
    "../../../../etc/passwd",
    "/etc/passwd",
    "..\\manage.py",
    "mlsys_core/serving/blocks.py\0.txt",
    "MLSYS_CORE/serving/blocks.py",
    "mlsys_core/serving/__pycache__/blocks.cpython-311.pyc",
    "..%2fmanage.py",
    "mlsys_core/serving/..%2f..%2f..%2fmanage.py",
)


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "coded"])
def test_no_path_leads_out_of_the_library(world, browser, path, coded):
    base = reverse("library-source", args=[world.offering.slug, "x"]).removesuffix("x")
    given = quote(path, safe="") if coded else path
    for who in (world.student, world.instructor):
        response = browser(who).get(base + given)
        assert response.status_code in {301, 404}
        assert response.status_code == 404 or not response.url.startswith(base)


@pytest.mark.parametrize("name", ["..", "../student", "README", "zero.md", "moby-dick", "%2e%2e%2fstudent"])
def test_no_other_page_is_a_page_of_the_library(world, browser, name):
    base = reverse("library", args=[world.offering.slug])
    assert browser(world.student).get(f"{base}pages/{name}/").status_code == 404
    assert browser(world.student).get(reverse("topic", args=[world.offering.slug, "moby-dick"])).status_code == 404


def test_a_module_shows_its_docstring_and_then_its_source(see, world):
    text = see("library-source", "mlsys_core/serving/blocks.py")
    places = [
        text.index(words)
        for words in (
            "Keys and values in blocks",
            "<dt>Idea</dt>",
            "<dt>Cost</dt>",
            "Defined here",
            'class="line" id="L',
        )
    ]
    assert places == sorted(places)
    pool = reverse("library-source", args=[world.offering.slug, "mlsys_core/serving/pool.py"])
    assert f'<a class="nn" href="{pool}">mlsys_core.serving.pool</a>' in text
    assert '<a href="#L' in text
    assert ">PagedAttention</a>" in text  # the topic that it belongs to


def test_a_package_lists_its_modules_and_its_words_lead_to_them(see, world):
    text = see("library-source", "mlsys_core/parallelism/zero")
    for name in ("flat", "sharded", "unit", "engine", "cost"):
        there = reverse("library-source", args=[world.offering.slug, f"mlsys_core/parallelism/zero/{name}.py"])
        assert text.count(f'href="{there}"') >= 2 if name != "cost" else f'href="{there}"' in text


def test_a_reading_stands_on_its_topic_as_it_stands_for_the_student(see, world):
    reading = listed(world)
    assert "Not started" in see("topic", "zero")
    summary(reading, world.student)
    assert "Handed in" in see("topic", "zero")
    assert "Handed in" not in see("topic", "zero", who=world.classmate)
    assert ZERO in see("topic", "zero")
    assert "Less memory for training" not in see("topic", "moe")


def test_a_paper_and_its_table_lead_to_the_topics_for_which_it_is_read(see, world):
    there = f'href="{reverse("topic", args=[world.offering.slug, "zero"])}"'
    assert there in see("reading", listed(world).slug)
    assert there in see("study", "zero")
    assert there not in see("study", "orca")


def test_a_hidden_reading_is_for_staff(see, world):
    listed(world, hidden=True)
    assert "Less memory for training" not in see("topic", "zero")
    assert "hidden from students" in see("topic", "zero", who=world.ta)


def test_lab_tasks_stand_with_their_points_once_the_lab_is_open(see, world, monkeypatch):
    lab = world.lab
    task, *others = lab.lab.summary.tasks
    practised = replace(TOPICS["zero"], labs=(LabTasks(lab.lab.slug, (task.id,)),))
    monkeypatch.setitem(TOPICS, "zero", practised)
    text = see("topic", "zero")
    assert task.title in text
    assert f"{task.points:g} <span" in text
    assert all(other.title not in text for other in others)
    lab.opens_at = clock.now() + timedelta(days=1)
    lab.save()
    text = see("topic", "zero")
    assert task.title not in text
    assert "appear here when it opens" in text
    assert task.title in see("topic", "zero", who=world.ta)


def test_a_lab_without_a_published_version_says_so(see, world):
    AssignmentFactory(offering=world.offering, slug="inference", title="Inference optimizations", number=2, lab=None)
    text = see("topic", "flash-attention")
    assert "Inference optimizations" in text
    assert "when its handout is published" in text


def test_the_schedule_leads_to_topics_and_topics_to_their_neighbours(see, world):
    for number, title in enumerate(
        ("ZeRO-style data parallelism", "Guest lecture", "MoE 1", "Data parallelism, tensor parallelism"), 1
    ):
        SessionFactory(
            offering=world.offering, week=number, topic=title, date=clock.now().date() + timedelta(days=7 * number)
        )
    text = see("schedule")

    def link(slug: str) -> str:
        return f'href="{reverse("topic", args=[world.offering.slug, slug])}"'

    for slug in ("zero", "moe", "fine-grained-moe", "data-parallelism", "tensor-parallelism", "sequence-parallelism"):
        assert link(slug) in text
    assert link("agents") not in text
    assert "Guest lecture" in text
    middle = see("topic", "moe")
    assert f'rel="prev" {link("zero")}' in middle
    assert f'rel="next" {link("data-parallelism")}' in middle
    assert 'rel="prev"' not in see("topic", "zero")
    assert f'rel="next" {link("data-parallelism")}' in see("topic", "fine-grained-moe")
    assert "No session of this offering is about it" in see("topic", "autodiff")


def test_the_published_schedule_leads_to_a_topic_from_every_session(see, world):
    for number, week in enumerate(WEEKS, 1):
        SessionFactory(offering=world.offering, week=number, number=1, topic=week.tuesday)
        SessionFactory(offering=world.offering, week=number, number=2, topic=week.thursday)
    text = see("schedule")
    linked = {slug for slug in TOPICS if f'href="{reverse("topic", args=[world.offering.slug, slug])}"' in text}
    assert linked == set(TOPICS)


def test_a_topic_asks_as_often_for_fifty_sessions_as_for_five(world, browser):
    def count(client) -> dict[str, int]:
        found = {}
        for slug in ("zero", "flash-attention", "course-intro"):
            with CaptureQueriesContext(connection) as asked:
                client.get(reverse("topic", args=[world.offering.slug, slug]))
            found[slug] = len(asked)
        return found

    listed(world)
    clients = [browser(world.student), browser(world.ta)]
    few = [count(client) for client in clients]
    for number in range(1, 50):
        SessionFactory(offering=world.offering, week=number, topic="FlashAttention")
        ReadingFactory(assignment__offering=world.offering, assignment__number=number + 10)
    assert [count(client) for client in clients] == few


def test_source_asks_the_database_for_nothing_but_who_reads_it(world, browser):
    client = browser(world.student)
    client.get(reverse("schedule", args=[world.offering.slug]))
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("library-source", args=[world.offering.slug, "mlsys_core/parallelism/zero/flat.py"]))
    assert len(asked) <= 8
