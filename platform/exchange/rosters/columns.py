"""Which column of a roster is which: by the names that systems and people give them, or as the person at the page says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from exchange.tables import Grid


class Field(StrEnum):
    """What a column of a roster can hold."""

    NAME = "name"
    FIRST = "first name"
    LAST = "last name"
    EMAIL = "email"
    LOGIN = "SIS login ID"
    SIS = "SIS user ID"
    LMS = "LMS ID"
    ROLE = "role"
    SECTION = "section"


Columns = Mapping[Field, int]
WHO = (Field.EMAIL, Field.LOGIN, Field.SIS, Field.LMS)
# names without signs and in lower case, as `_key` makes them
_NAMES = {
    Field.NAME: "name student studentname fullname displayname sortablename studentfullname nameofstudent participant",
    Field.FIRST: "firstname givenname givennames first forename preferredname",
    Field.LAST: "lastname familyname surname last",
    Field.EMAIL: "email emailaddress mail emails primaryemail studentemail institutionalemail universityemail",
    Field.LOGIN: "sisloginid loginid login netid username loginname uniqueid",
    Field.SIS: "sisuserid sisid uin studentid studentnumber universityid userid institutionid",
    Field.LMS: "id lmsid canvasid canvasuserid",
    Field.ROLE: "role roles type enrollmenttype courserole enrollmentrole",
    Field.SECTION: "section sections sectionname coursesection",
}
_FIELDS = {name: field for field, names in _NAMES.items() for name in names.split()}


def guessed(grid: Grid) -> dict[Field, int]:
    """The columns whose names say what they hold; of two for the same, the first."""
    found: dict[Field, int] = {}
    for place, name in enumerate(grid.columns):
        field = _FIELDS.get(re.sub(r"[^a-z]", "", name.casefold()))
        if field is not None:
            found.setdefault(field, place)
    return found


def missing(columns: Columns) -> str:
    """Why these columns make no roster, as a sentence; empty where they do."""
    if not any(field in columns for field in WHO):
        return (
            "No column is known as an e-mail address, a login or an ID, so the file says nobody's line. "
            "Say below what its columns hold."
        )
    return ""
