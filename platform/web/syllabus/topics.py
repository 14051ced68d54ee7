"""All topics, and which of them a session is about."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from web.syllabus.beside import BESIDE
from web.syllabus.scheduled import SCHEDULED
from web.syllabus.topic import Topic

TOPICS: dict[str, Topic] = {topic.slug: topic for topic in (*SCHEDULED, *BESIDE)}
_NUMBER = re.compile(r"\s+\d+$")
_COMMA = re.compile(r",\s*")


class Part(NamedTuple):
    """A part of a session's title, as it is written, and the topic that it names, if any."""

    words: str
    topic: Topic | None


def parts(title: str) -> tuple[Part, ...]:
    """A session's title by its topics: the whole title where it names one, and otherwise what its commas separate.

    "Quantization 2" is Quantization; "Data parallelism, tensor parallelism" is two.
    """
    whole = _named(title)
    words = _COMMA.split(title)
    found = [Part(word, _named(word)) for word in words]
    if whole or not any(part.topic for part in found):
        return (Part(title, whole),)
    return tuple(found)


def topics_of(title: str) -> tuple[Topic, ...]:
    """The topics of a session."""
    return tuple(part.topic for part in parts(title) if part.topic)


def beside(topic: Topic) -> tuple[Topic, ...]:
    """The topics without a session that belong to this one."""
    return tuple(other for other in BESIDE if other.beside == topic.slug)


def topics_with(path: str) -> tuple[Topic, ...]:
    """The topics that name a file or package below mlsys_core, or the package in which it lies."""
    return tuple(
        topic
        for topic in TOPICS.values()
        if any(path == module or path.startswith(f"{module}/") for module in topic.modules)
    )


def topics_with_page(name: str) -> tuple[Topic, ...]:
    """The topics that name a page of docs/library."""
    return tuple(topic for topic in TOPICS.values() if name in topic.pages)


def topics_reading(link: str) -> tuple[Topic, ...]:
    """The topics for which a paper is read, by where it can be read."""
    return tuple(topic for topic in TOPICS.values() if link and link in topic.readings)


def _named(words: str) -> Topic | None:
    return _names().get(_key(words)) or _names().get(_key(_NUMBER.sub("", words)))


@cache
def _names() -> dict[str, Topic]:
    return {_key(name): topic for topic in TOPICS.values() for name in topic.names}


def _key(words: str) -> str:
    return " ".join(words.casefold().split())
