"""Who may read topics, pages and source: whoever is in the offering. What is not in a catalogue is not there, whatever its path says."""

from __future__ import annotations

from django.http import Http404

from accounts.models import User
from courses.access import get_enrollment
from courses.models import Enrollment
from web.syllabus.library import Package, SourceFile, files, packages
from web.syllabus.pages import INDEX, LibraryPage, library_pages
from web.syllabus.topic import Topic
from web.syllabus.topics import TOPICS


def get_topic_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Topic]:
    """A topic; raises `Http404` for strangers, and for a slug that is none."""
    enrollment = get_enrollment(user, offering_slug)
    if slug not in TOPICS:
        raise Http404("There is no such topic.")
    return enrollment, TOPICS[slug]


def get_library_page_for(user: User, offering_slug: str, name: str) -> tuple[Enrollment, LibraryPage]:
    """A page of the library; the index has an address of its own."""
    enrollment = get_enrollment(user, offering_slug)
    if name == INDEX or name not in library_pages():
        raise Http404("The library has no such page.")
    return enrollment, library_pages()[name]


def get_source_for(user: User, offering_slug: str, path: str) -> tuple[Enrollment, SourceFile | Package]:
    """A file or package of mlsys_core; raises `Http404` for strangers, and for every path that the catalogue does not hold."""
    enrollment = get_enrollment(user, offering_slug)
    if path in packages():
        return enrollment, packages()[path]
    if path not in files():
        raise Http404("The library has no such file.")
    return enrollment, files()[path]
