"""What the sandbox says of a PDF, as far as it is believed: each value of the right kind, within bounds, or the whole is refused."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

MOST = 2_000_000  # hundredths of a point: no page is larger
Place = Annotated[int, Meta(ge=-MOST, le=MOST)]
Count = Annotated[int, Meta(ge=0, le=10_000_000)]
Short = Annotated[str, Meta(max_length=300)]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of a PDF. `scripts` and `attachments` are what it carries beside its pages."""

    pages: Count
    meta: Annotated[dict[Short, Short], Meta(max_length=10)]
    scripts: Count
    attachments: Count


class Line(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Characters on one baseline without a wide gap; `font` is a place in the page's list."""

    text: Annotated[str, Meta(max_length=400)]
    x0: Place
    y0: Place
    x1: Place
    y1: Place
    baseline: Place
    font: Annotated[int, Meta(ge=0, le=1000)]
    size: Place
    upright: bool


class Font(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A font by the name that the PDF gives it, a subset's prefix included."""

    name: Annotated[str, Meta(max_length=130)]
    embedded: bool


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One page, in hundredths of a point from its top left corner. `cut`: it held more text than is looked at."""

    width: Annotated[int, Meta(ge=1, le=MOST)]
    height: Annotated[int, Meta(ge=1, le=MOST)]
    lines: Annotated[tuple[Line, ...], Meta(max_length=1500)]
    fonts: Annotated[tuple[Font, ...], Meta(max_length=200)]
    pictures: Annotated[tuple[tuple[Place, Place, Place, Place], ...], Meta(max_length=100)]
    launches: Count
    cut: bool
