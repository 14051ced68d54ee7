"""The lines of a roster as people; what is nobody's line, and what is wrong with a line, by its number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from courses.models import Role
from exchange.rosters.columns import Columns, Field
from exchange.tables import Grid, Line

_ROLES = {
    Role.STUDENT: "student studentenrollment learner participant",
    Role.TA: "ta taenrollment teachingassistant grader assistant teacherassistant",
    Role.INSTRUCTOR: "instructor teacher teacherenrollment lecturer professor owner",
}
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names.split()}
# what Canvas writes among the people: the row of points, and the student who tries the course out
_TEST_STUDENT = ("student, test", "test student")
LONGEST_NAME, LONGEST_ID, LONGEST_LOGIN = 190, 60, 120  # a comma makes the name of lists longer


@dataclass(frozen=True)
class Note:
    """Something about one line of the file."""

    number: int
    text: str


@dataclass(frozen=True)
class Listed:
    """A person as a line lists them. `role` is None where the file says nothing of roles; what is empty, it does not know."""

    number: int
    name: str
    sort_name: str
    email: str
    login: str
    sis_id: str
    lms_id: str
    role: Role | None
    section: str

    @property
    def keys(self) -> frozenset[tuple[str, str]]:
        """What tells this person from others."""
        named = {"lms": self.lms_id, "sis": self.sis_id, "login": self.login.casefold(), "email": self.email}
        return frozenset((kind, value) for kind, value in named.items() if value)

    @property
    def called(self) -> str:
        """How a sentence calls them."""
        return self.name or self.email or self.login or self.sis_id or self.lms_id


class _Wrong(Exception):  # noqa: N818 - turned into a `Note`
    pass


@dataclass(frozen=True)
class Lines:
    """All lines: people, wrong ones, and ones that are left out for a reason."""

    people: tuple[Listed, ...]
    wrong: tuple[Note, ...]
    skipped: tuple[Note, ...]


def read_lines(grid: Grid, columns: Columns, *, domain: str = "") -> Lines:
    """Every line. A login without @ becomes an address at `domain`, where there is one."""
    people: list[Listed] = []
    wrong: list[Note] = []
    skipped: list[Note] = []
    seen: dict[tuple[str, str], Listed] = {}
    for line in grid.lines:
        if reason := _nobody(line, columns):
            skipped.append(Note(line.number, reason))
            continue
        try:
            person = _person(line, columns, width=len(grid.columns), domain=domain)
        except _Wrong as fault:
            wrong.append(Note(line.number, str(fault)))
            continue
        earlier = next((seen[key] for key in person.keys if key in seen), None)
        if earlier is None:
            people.append(person)
        elif _contradict(earlier, person):
            text = f"{person.called} has the address or an ID of row {earlier.number}, and others that differ."
            wrong.append(Note(line.number, text))
        else:
            skipped.append(Note(line.number, f"{person.called} again, as in row {earlier.number}, which counts."))
        seen |= dict.fromkeys(person.keys - seen.keys(), earlier or person)
    return Lines(tuple(people), tuple(wrong), tuple(skipped))


def _contradict(one: Listed, other: Listed) -> bool:
    pairs = (
        (one.lms_id, other.lms_id),
        (one.sis_id, other.sis_id),
        (one.email, other.email),
        (one.login.casefold(), other.login.casefold()),
    )
    return any(first and second and first != second for first, second in pairs)


def _nobody(line: Line, columns: Columns) -> str:
    """Why a line is nobody's; empty for a person's."""
    name = line.cell(columns.get(Field.NAME)).casefold()
    if name == "points possible":
        return "The row of points that Canvas writes."
    if name in _TEST_STUDENT and not line.cell(columns.get(Field.EMAIL)):
        return "Canvas's test student."
    if not any(line.cell(place) for place in columns.values()):
        return "Nobody's name, address or ID."
    return ""


def _person(line: Line, columns: Columns, *, width: int, domain: str) -> Listed:
    if any(cell.strip() for cell in line.cells[width:]):
        raise _Wrong(
            f"It has {len(line.cells)} cells and the header {width}. Perhaps a name with a comma has no quotes."
        )
    cell = {field: line.cell(columns.get(field)) for field in Field}
    name, sort_name = names_of(cell[Field.NAME], cell[Field.FIRST], cell[Field.LAST])
    login = cell[Field.LOGIN]
    for what, value, most in (
        ("name", name, LONGEST_NAME),
        ("login", login, LONGEST_LOGIN),
        ("SIS user ID", cell[Field.SIS], LONGEST_ID),
        ("LMS ID", cell[Field.LMS], LONGEST_ID),
        ("section", cell[Field.SECTION], LONGEST_LOGIN),
    ):
        if len(value) > most:
            raise _Wrong(f"The {what} is longer than {most} characters.")
        if re.fullmatch(r"\d([.,]\d+)?[eE]\+\d+", value):
            raise _Wrong(f"The {what} “{value}” was cut by a spreadsheet. Export the file again and send it unopened.")
    person = Listed(
        number=line.number,
        name=name,
        sort_name=sort_name,
        email=_email(cell[Field.EMAIL], login, domain),
        login=login,
        sis_id=cell[Field.SIS],
        lms_id=cell[Field.LMS],
        role=_role(cell[Field.ROLE]),
        section=cell[Field.SECTION],
    )
    if not person.keys:
        raise _Wrong(f"{person.called or 'The line'} has neither an address nor an ID, so nobody can be found by it.")
    return person


def names_of(whole: str, first: str, last: str) -> tuple[str, str]:
    """The name as it is said, and as lists sort it, out of `Last, First`, `First Last` or two columns."""
    if first or last:
        return f"{first} {last}".strip(), ", ".join(part for part in (last, first) if part)
    family, comma, given = (part.strip() for part in whole.partition(","))
    if comma and family and given:
        return f"{given} {family}", f"{family}, {given}"
    words = whole.replace(",", " ").split()
    return " ".join(words), f"{words[-1]}, {' '.join(words[:-1])}" if len(words) > 1 else "".join(words)


def _email(address: str, login: str, domain: str) -> str:
    address = re.sub(r"^mailto:", "", address, flags=re.IGNORECASE).strip("<> ")
    if not address and login:
        address = login if "@" in login else f"{login}@{domain}" if domain else ""
    if not address:
        return ""
    try:
        validate_email(address)
    except ValidationError as invalid:
        raise _Wrong(f"“{address[:80]}” is no e-mail address.") from invalid
    if len(address) > 254:
        raise _Wrong("The e-mail address is longer than 254 characters.")
    return address.lower()


def _role(text: str) -> Role | None:
    if not text:
        return None
    role = _ROLE_OF.get(re.sub(r"[^a-z]", "", text.casefold()))
    if role is None:
        raise _Wrong(f"“{text[:40]}” is no role here. Roles are student, TA and instructor.")
    return role
