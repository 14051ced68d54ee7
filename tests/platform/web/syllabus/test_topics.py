"""Every topic of the course leads to modules, to a page, and to what is read, computed or built about it; and all that is named exists."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from mlsys_core.papers.studies import STUDIES
from readings.models import Paper
from web.seed.facts import LABS, PAPERS, WEEKS
from web.syllabus import topic as papers
from web.syllabus.docstrings import docstring_of
from web.syllabus.library import within
from web.syllabus.topic import Topic
from web.syllabus.topics import TOPICS, parts, topics_of, topics_with, topics_with_page
from web.syllabus.work import section_of

ROOT = Path(__file__).resolve().parents[4]
LIBRARY = ROOT / "mlsys_core"
SESSIONS = [title for week in WEEKS for title in (week.tuesday, week.thursday)]
# named beside the published table
BESIDE = (
    *("Computation graph", "ML frameworks", "Sequence parallelism", "Gradient checkpointing", "Kernel fusion"),
    *("Speculative decoding", "LoRA", "Agents", "Scaling laws", "Emerging CPU-GPU superchips", "Fine-grained MoE"),
    *("Reconfigurable parallel checkpoints", "Communication-efficient Adam", "Sparse attention"),
    *("Mixture of quantization", "Curriculum learning", "Multi-agent applications", "Diffusion models"),
    "Recommendation models (DLRM)",
)
# What topics name and what is not there yet. When some of it arrives, the test below fails until its name is gone; {} once all is there.
NOT_YET: dict[str, set[str]] = {}


def tasks_of(lab: str) -> dict[str, str]:
    """Ids and titles of a lab's tasks, as its own file has them."""
    path = ROOT / "labs" / lab / "lab.toml"
    return {task["id"]: task["title"] for task in tomllib.loads(path.read_text())["tasks"]} if path.exists() else {}


def named(topic: Topic) -> dict[str, set[str]]:
    return {
        "modules": set(topic.modules),
        "pages": set(topic.pages),
        "studies": set(topic.studies),
        "tasks": {f"{lab} {task}" for lab, tasks in topic.labs for task in tasks},
    }


def there() -> dict[str, set[str]]:
    """What of all that could be named exists, found without the code under test."""
    sources = [path.relative_to(LIBRARY) for kind in ("py", "c") for path in LIBRARY.rglob(f"*.{kind}")]
    return {
        "modules": {str(path) for path in sources} | {str(path.parent) for path in sources},
        "pages": {path.stem for path in (ROOT / "docs/library").glob("*.md")},
        "studies": {study.slug for study in STUDIES},
        "tasks": {f"{lab.slug} {task}" for lab in LABS for task in tasks_of(lab.slug)},
    }


def missing(topic: Topic) -> dict[str, set[str]]:
    found = there()
    return {kind: names - found[kind] for kind, names in named(topic).items()}


@pytest.mark.parametrize("title", [*dict.fromkeys(SESSIONS), *BESIDE])
def test_every_topic_of_the_course_is_in_the_table(title):
    assert all(part.topic for part in parts(title)), f"{title!r} leads nowhere: name it in web/syllabus"


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.slug)
def test_a_topic_has_modules_a_page_and_something_to_read_or_to_build(topic):
    """A paper of the list where there is one, otherwise the papers that its modules name."""
    assert topic.modules
    assert topic.pages
    waits = any(missing(topic)["modules"])
    in_modules = [
        fact.text
        for path in topic.modules
        for file in within(path)
        for fact in docstring_of(file.text()).facts
        if fact.label == "Paper" and not fact.text.startswith("None")
    ]
    assert topic.readings or in_modules or waits, f"{topic.title} names no paper"


def test_all_that_topics_name_exists_but_for_what_is_listed_as_not_there_yet():
    """Both ways: what is missing must be listed, and what has arrived may no longer be."""
    for kind, found in there().items():
        waited_for = NOT_YET.get(kind, set())
        absent = set().union(*(named(topic)[kind] for topic in TOPICS.values())) - found
        assert absent - waited_for == set(), f"{kind} that topics name and that do not exist"
        assert waited_for & found == set(), f"{kind} that have arrived: take them off NOT_YET"
        assert waited_for - absent == set(), f"{kind} that no topic names: take them off NOT_YET"


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.slug)
def test_a_topic_shows_a_module_and_a_page_unless_all_of_them_are_still_to_come(topic):
    absent = missing(topic)
    for kind in ("modules", "pages"):
        assert named(topic)[kind] - absent[kind] or named(topic)[kind] <= NOT_YET.get(kind, set()), (
            f"{topic.title} has no {kind}"
        )


def test_every_reading_every_table_and_every_lab_task_of_the_course_belongs_to_a_topic():
    listed = {Paper(arxiv_id=paper.arxiv_id, url=paper.url).link for paper in PAPERS}
    assert listed == {link for topic in TOPICS.values() for link in topic.readings}
    found = there()
    for kind in ("studies", "tasks"):
        assert found[kind] <= set().union(*(named(topic)[kind] for topic in TOPICS.values())), kind


def test_every_page_and_every_package_of_the_library_belongs_to_a_topic():
    found = there()
    assert {page for page in found["pages"] if not topics_with_page(page)} == set()
    packages = {module for module in found["modules"] if not module.endswith(".py") and module not in {".", "papers"}}
    parents = {package for package in packages if any(other.startswith(f"{package}/") for other in packages)}
    assert {p for p in packages - parents if not topics_with(p) and not _parts_named(p)} == set()


def _parts_named(package: str) -> bool:
    """Whether topics name some of its files instead of the whole."""
    return any(module.startswith(f"{package}/") for topic in TOPICS.values() for module in topic.modules)


def test_a_study_stands_where_its_paper_does():
    links = {study.slug: study.link for study in STUDIES}
    listed = {link for name, link in vars(papers).items() if name.isupper() and str(link).startswith("https:")}
    for topic in TOPICS.values():
        for slug in topic.studies:
            if links.get(slug) in listed:
                assert links[slug] in topic.readings, topic.title


def test_names_and_slugs_are_unique_and_what_stands_beside_stands_beside_a_topic_of_the_schedule():
    names = Counter(name.casefold() for topic in TOPICS.values() for name in topic.names)
    assert [name for name, count in names.items() if count > 1] == []
    scheduled = {topic.slug for title in SESSIONS for topic in topics_of(title)}
    for topic in TOPICS.values():
        assert (topic.slug in scheduled) is (topic.beside == ""), topic.title
        assert not topic.beside or topic.beside in scheduled, topic.title


def test_a_session_is_read_by_its_words():
    assert [topic.slug for topic in topics_of("Quantization 2")] == ["quantization"]
    assert [topic.slug for topic in topics_of("  quantization ")] == ["quantization"]
    both = parts("Data parallelism, tensor parallelism")
    assert [(part.words, part.topic and part.topic.slug) for part in both] == [
        ("Data parallelism", "data-parallelism"),
        ("tensor parallelism", "tensor-parallelism"),
    ]
    half = parts("Guest lecture, FlashAttention")
    assert [(part.words, part.topic and part.topic.slug) for part in half] == [
        ("Guest lecture", None),
        ("FlashAttention", "flash-attention"),
    ]
    assert parts("A guest, and her talk") == (("A guest, and her talk", None),)
    assert topics_of("3D") == ()


@pytest.mark.parametrize("lab", [lab.slug for lab in LABS if (ROOT / "labs" / lab.slug).exists()])
def test_a_task_leads_to_the_section_of_the_handout_where_it_begins(lab):
    handout = (ROOT / "labs" / lab / "handout.md").read_text()
    sections = {task: section_of(handout, task) for task in tasks_of(lab)}
    assert [task for task, section in sections.items() if f"\n## {section} " not in handout] == []
    assert len(set(sections.values())) == len(sections)


def test_a_handout_without_such_a_table_gives_no_section():
    assert section_of("# A lab\n\n| 1 | nothing |\n", "2") == ""
    assert section_of("", "1") == ""
