"""Words of the library's own documentation on pages."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from web.syllabus.docstrings import marked as mark_up
from web.syllabus.topic import Topic
from web.syllabus.topics import topics_reading

register = template.Library()


@register.filter
def marked(text: str, links: dict[str, str] | None = None) -> SafeString:
    """`{{ fact.text|marked:page.links }}`: a docstring's words, with code where backticks stand."""
    return mark_up(text, links)


@register.filter
def topics_of_paper(link: str) -> tuple[Topic, ...]:
    """`{{ paper.link|topics_of_paper }}`: the topics that a paper is read for."""
    return topics_reading(link)
