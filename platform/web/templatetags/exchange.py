"""Ways into import and export from pages of apps that know nothing of it."""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from courses.models import Enrollment
from exchange.transcripts.access import may_see_own
from web.templatetags.ui import icon_svg

register = template.Library()


@register.simple_tag
def transcript_link(enrollment: Enrollment) -> SafeString:
    """`{% transcript_link enrollment %}`: to a student's own transcript, once there is one. Two queries at most."""
    if not enrollment.is_student or not may_see_own(enrollment):
        return SafeString()
    url = reverse("own-transcript", args=[enrollment.offering.slug])
    return format_html('<a class="btn" href="{}">{}Transcript</a>', url, icon_svg("file-text"))
