"""What the pages of the syllabus show: a topic, the library, a page of it, a module, a package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from config import clock
from courses.models import Enrollment, Session
from mlsys_core.papers.studies import STUDIES
from mlsys_core.papers.study import Study
from readings.selectors import ReadingRow
from web.syllabus.docstrings import Docstring
from web.syllabus.library import (
    NAME,
    Definition,
    Package,
    SourceFile,
    definitions,
    documentation,
    files,
    packages,
    within,
)
from web.syllabus.pages import INDEX, LibraryPage, library_pages, render_page_text, source_url
from web.syllabus.source import render_source
from web.syllabus.topic import Topic
from web.syllabus.topics import TOPICS, beside, topics_of, topics_with, topics_with_page
from web.syllabus.work import LabWork, labs_for, readings_for


@dataclass(frozen=True)
class Meeting:
    """A session about a topic, and whether it is held today."""

    session: Session
    is_today: bool


@dataclass(frozen=True)
class ModuleGroup:
    """Modules of one package, in the order in which the topic names them."""

    package: Package
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class Text:
    """A page of the library, rendered; `outline` has (id, title) of each section."""

    page: LibraryPage
    html: SafeString
    outline: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TopicPage:
    """One topic. `text` is its first page; `before` and `after` are its neighbours in this offering's schedule."""

    topic: Topic
    meetings: tuple[Meeting, ...]
    readings: tuple[ReadingRow, ...]
    labs: tuple[LabWork, ...]
    studies: tuple[Study, ...]
    text: Text | None
    more_pages: tuple[LibraryPage, ...]
    modules: tuple[ModuleGroup, ...]
    beside: tuple[Topic, ...]
    belongs_to: Topic | None
    before: Topic | None
    after: Topic | None

    @property
    def is_empty(self) -> bool:
        """Whether the library has neither page nor module for it yet."""
        return self.text is None and not self.modules


@dataclass(frozen=True)
class TextPage:
    """A page of the library, with the topics that it is about."""

    text: Text
    topics: tuple[Topic, ...]


@dataclass(frozen=True)
class LibraryIndex:
    """The library's table of topics, and all of its packages."""

    text: Text
    packages: tuple[Package, ...]
    count: int


@dataclass(frozen=True)
class SourcePage:
    """A module, or a package by its `__init__.py`. `links` are addresses of the modules that its docstring may name."""

    file: SourceFile
    package: Package
    parents: tuple[Package, ...]
    docstring: Docstring
    links: dict[str, str]
    definitions: tuple[Definition, ...]
    source: SafeString
    topics: tuple[Topic, ...]
    packages: tuple[Package, ...]

    @property
    def is_package(self) -> bool:
        """Whether it stands for the whole package."""
        return self.file == self.package.init


def topic_page(viewer: Enrollment, topic: Topic) -> TopicPage:
    """A topic as the viewer sees it. The number of queries does not depend on what there is."""
    sessions = list(viewer.offering.sessions.all())
    today = viewer.offering.day_of(clock.now())
    order = list(dict.fromkeys(found for session in sessions for found in topics_of(session.topic)))
    named = [library_pages()[name] for name in topic.pages if name in library_pages()]
    return TopicPage(
        topic=topic,
        meetings=tuple(Meeting(row, row.date == today) for row in sessions if topic in topics_of(row.topic)),
        readings=readings_for(viewer, topic),
        labs=labs_for(viewer, topic),
        studies=tuple(study for study in STUDIES if study.slug in topic.studies),
        text=_text(named[0], viewer) if named else None,
        more_pages=tuple(named[1:]),
        modules=_groups(file for path in topic.modules for file in within(path)),
        beside=beside(topic),
        belongs_to=TOPICS.get(topic.beside),
        before=_neighbour(order, topic, -1),
        after=_neighbour(order, topic, 1),
    )


def text_page(viewer: Enrollment, page: LibraryPage) -> TextPage:
    """A page of the library."""
    return TextPage(_text(page, viewer), topics_with_page(page.name))


def library_index(viewer: Enrollment) -> LibraryIndex:
    """The first page of the library."""
    tops = tuple(package for path, package in packages().items() if path.count("/") == 1)
    return LibraryIndex(_text(library_pages()[INDEX], viewer), tops, len(files()))


def source_page(viewer: Enrollment, what: SourceFile | Package) -> SourcePage:
    """A module or a package, from its docstring to its last line."""
    package = what if isinstance(what, Package) else packages()[what.package]
    file = what.init if isinstance(what, Package) else what
    slug, text = viewer.offering.slug, file.text()
    docstring = documentation(file)
    return SourcePage(
        file=file,
        package=package,
        parents=_parents(what.path),
        docstring=docstring,
        links=_links(package, slug),
        definitions=definitions(text) if file.is_python else (),
        source=_source(file, text, docstring, slug),
        topics=topics_with(what.path.removeprefix(f"{NAME}/")),
        packages=tuple(packages()[path] for path in package.packages),
    )


def _source(file: SourceFile, text: str, docstring: Docstring, slug: str) -> SafeString:
    prefix = source_url(slug, NAME).removesuffix(NAME)
    return render_source(text, after=docstring.last_line, prefix=prefix, python=file.is_python)


def _text(page: LibraryPage, viewer: Enrollment) -> Text:
    html, outline = render_page_text(page, viewer.offering.slug)
    return Text(page, html, outline)


def _groups(listed: Iterable[SourceFile]) -> tuple[ModuleGroup, ...]:
    groups: dict[str, dict[SourceFile, None]] = {}
    for file in listed:
        groups.setdefault(file.package, {})[file] = None
    return tuple(ModuleGroup(packages()[path], tuple(rows)) for path, rows in groups.items())


def _parents(path: str) -> tuple[Package, ...]:
    """The packages around a path, the outermost first."""
    return tuple(package for place, package in packages().items() if path.startswith(f"{place}/"))


def _links(package: Package, slug: str) -> dict[str, str]:
    """By the words that a docstring uses: the modules and packages beside it, by their names without ".py"."""
    beside_it = {file.name.removesuffix(".py"): file.path for file in package.files}
    inside = {packages()[path].name: path for path in package.packages}
    return {name: source_url(slug, path) for name, path in (beside_it | inside).items()}


def _neighbour(order: Sequence[Topic], topic: Topic, step: int) -> Topic | None:
    """The topic before or after this one, or before or after the one that it belongs to."""
    place = topic if topic in order else TOPICS.get(topic.beside)
    at = order.index(place) + step if place in order else -1
    return order[at] if 0 <= at < len(order) else None
