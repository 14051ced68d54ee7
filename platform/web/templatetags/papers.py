"""The paper behind a reading, for pages of apps that know no papers."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from assignments.models import Assignment, Kind
from readings.models import Reading

register = template.Library()


@register.simple_tag
def paper_link(assignment: Assignment) -> SafeString:
    """`{% paper_link page.assignment %}`: a link to the paper of a reading; nothing for other work. One query for a reading."""
    if assignment.kind != Kind.READING:
        return SafeString()
    reading = Reading.objects.select_related("paper").filter(assignment=assignment).first()
    if reading is None or not reading.paper.link:
        return SafeString()
    return format_html('<a href="{}" rel="noreferrer">Paper</a>', reading.paper.link)
