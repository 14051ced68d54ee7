"""A rubric as a file: JSON, made to be read and edited by people too, and documented in the instructors' guide."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from reviews.rubrics.spec import ItemSpec, LevelSpec, RubricSpec

FORMAT = 1
LARGEST_BYTES = 200_000
LONGEST_NUMBER = 9  # digits before the point, or zeros behind it


class RubricFileRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """A file that is no rubric; the text says where."""


class FileItem(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An item of the file. Its name is the short name by which rubrics of different assignments are compared."""

    title: str
    points: Decimal
    name: str = ""
    question: str = ""
    grader_note: str = ""
    levels: tuple[LevelSpec, ...] = ()


class RubricFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `gradlab_rubric` is the number of the format."""

    gradlab_rubric: int
    items: tuple[FileItem, ...]


def to_file(spec: RubricSpec) -> bytes:
    """The rubric as it is downloaded."""
    items = tuple(
        FileItem(item.title, item.points, item.name, item.description, item.grader_note, item.levels)
        for item in spec.items
    )
    data = msgspec.json.Encoder(decimal_format="number").encode(RubricFile(FORMAT, items))
    return msgspec.json.format(data, indent=2) + b"\n"


def from_file(data: bytes) -> RubricSpec:
    """What the file says, to be looked at in the editor; raises `RubricFileRefused` unless it can be read as a rubric."""
    if len(data) > LARGEST_BYTES:
        raise RubricFileRefused("This file is larger than any rubric. Choose the .json file of one.")
    try:
        read = msgspec.json.decode(data, type=RubricFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RubricFileRefused(
            f"This file cannot be read as a rubric, so nothing was changed: {error}. Compare it with a rubric that you download."
        ) from error
    if read.gradlab_rubric != FORMAT:
        raise RubricFileRefused(
            f"This rubric is of format {read.gradlab_rubric}, and this site reads format {FORMAT}. Nothing was changed."
        )
    return RubricSpec(tuple(_item(item) for item in read.items))


def _item(item: FileItem) -> ItemSpec:
    for points in (item.points, *(level.points for level in item.levels)):
        if not points.is_finite() or (points and abs(points.adjusted()) > LONGEST_NUMBER):
            raise RubricFileRefused(
                f"“{item.title[:80]}” has points that are no number of points. Nothing was changed."
            )
    levels = tuple(LevelSpec(level.key, level.points, level.label) for level in item.levels)
    return ItemSpec(item.name, item.title, item.points, item.question, item.grader_note, levels)
