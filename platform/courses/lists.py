"""Long lists of people: a hundred to a page, and a search by name or e-mail address. Both stand in the address of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.core.paginator import Page, Paginator
from django.http import HttpRequest

PER_PAGE = 100
LONGEST = 200
T = TypeVar("T")


def page_of(rows: Sequence[T], number: str) -> Page[T]:
    """One page of the rows; a number that is none is the first page, one beyond the end the last."""
    return Paginator(rows, PER_PAGE).get_page(number)


def sought(request: HttpRequest) -> tuple[str, str]:
    """The search text and the page number of a request; the text without the NULs that PostgreSQL does not take."""
    return request.GET.get("q", "").replace("\0", "").strip()[:LONGEST], request.GET.get("page", "")


def holds(text: str, *fields: str) -> bool:
    """Whether one of the fields holds the text, whatever its case; an empty text is in every one."""
    wanted = text.casefold()
    return any(wanted in field.casefold() for field in fields)
