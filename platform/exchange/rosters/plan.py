"""What a roster would change: who joins, returns, changes or drops. Nobody's work is touched by any of it.

Instructors are neither dropped nor given another role, and staff are not dropped. While a line is wrong nobody is dropped at all: the wrong
line may be theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from accounts.models import User
from courses.models import Enrollment, Offering, Role
from exchange.rosters.lines import Lines, Listed, Note

# the field of an enrollment, what it is called, and where a line has it
IDS = (("lms_id", "LMS ID", "lms_id"), ("sis_id", "SIS user ID", "sis_id"), ("sis_login", "SIS login ID", "login"))
FIELDS = (*IDS, ("section", "Section", "section"))
MANY = 4  # dropping more than one student in so many is worth a second look


@dataclass(frozen=True)
class Add:
    """Somebody new to the offering. `account` is the name of the account that the address has already, or empty."""

    listed: Listed
    role: Role
    account: str


@dataclass(frozen=True)
class Difference:
    """One thing about a person, before and after. `field` is the enrollment's, or `name`, `role`."""

    field: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """Somebody who is in the offering, or was. `returns`: they had dropped, and come back to all of their work."""

    enrollment_id: int
    name: str
    email: str
    returns: bool
    differences: tuple[Difference, ...]
    renamed: Difference | None
    listed: Listed


@dataclass(frozen=True)
class Drop:
    """A student whom the file does not list. Their work stays, and they come back with it when a roster lists them again."""

    enrollment_id: int
    name: str
    email: str


@dataclass(frozen=True)
class Plan:
    """All of it. `notes` are lines that were left out or read otherwise, with the reason."""

    adds: tuple[Add, ...]
    changes: tuple[Change, ...]
    drops: tuple[Drop, ...]
    unchanged: int
    wrong: tuple[Note, ...]
    notes: tuple[Note, ...]
    students: int

    @property
    def returning(self) -> int:
        """How many come back."""
        return sum(change.returns for change in self.changes)

    @property
    def renames(self) -> int:
        """How many names differ."""
        return sum(change.renamed is not None for change in self.changes)

    @property
    def drops_many(self) -> bool:
        """Whether so many would drop that the file may be of one section only."""
        return len(self.drops) * MANY > self.students

    @property
    def can_apply(self) -> bool:
        """Whether there is something to do."""
        return bool(self.adds or self.changes or self.drops)

    @property
    def fingerprint(self) -> str:
        """The same for the same changes, and for no others."""
        parts = ([asdict(row) for row in rows] for rows in (self.adds, self.changes, self.drops))
        return hashlib.sha256(repr(list(parts)).encode()).hexdigest()


def plan_of(offering: Offering, lines: Lines) -> Plan:
    """Compare with the class as it is. Two queries."""
    people = list(Enrollment.objects.filter(offering=offering).select_related("user").order_by("user__sort_name", "pk"))
    accounts = User.objects.filter(email__in=[row.email for row in lines.people if row.email])
    return _Comparison(people, {user.email: user for user in accounts}, lines).run()


class _Comparison:
    """One file against one class."""

    def __init__(self, people: Sequence[Enrollment], accounts: dict[str, User], lines: Lines) -> None:
        self._people, self._accounts, self._lines = people, accounts, lines
        self._known: dict[tuple[str, str], Enrollment] = {}
        for person in people:
            self._known |= dict.fromkeys(_keys(person), person)
        self._adds: list[Add] = []
        self._changes: list[Change] = []
        self._met: dict[int, Listed] = {}
        self._unchanged = 0
        self._wrong, self._notes = list(lines.wrong), list(lines.skipped)

    def run(self) -> Plan:
        """Every line, in order; then who is left."""
        for listed in self._lines.people:
            self._compare(listed)
        students = [row for row in self._people if row.role == Role.STUDENT and row.dropped_at is None]
        left = [] if self._wrong else [row for row in students if row.pk not in self._met]
        return Plan(
            adds=tuple(self._adds),
            changes=tuple(self._changes),
            drops=tuple(Drop(row.pk, row.user.name, row.user.email) for row in left),
            unchanged=self._unchanged,
            wrong=tuple(sorted(self._wrong, key=_number)),
            notes=tuple(sorted(self._notes, key=_number)),
            students=len(students),
        )

    def _compare(self, listed: Listed) -> None:
        found = {self._known[key].pk: self._known[key] for key in listed.keys if key in self._known}
        if len(found) > 1:
            names = " and ".join(sorted(person.user.name for person in found.values()))
            self._say_wrong(listed, f"The address and the IDs belong to different people here: {names}.")
        elif not found:
            self._add(listed)
        else:
            self._change(next(iter(found.values())), listed)

    def _add(self, listed: Listed) -> None:
        account = self._accounts.get(listed.email)
        if not listed.email:
            self._say_wrong(
                listed, f"{listed.called} is new here and has no e-mail address, which people sign in with."
            )
        elif not listed.name and account is None:
            self._say_wrong(listed, f"{listed.email} is new here and has no name.")
        elif account is not None and not account.is_active:
            self._say_wrong(listed, f"The account of {listed.email} is closed. Open it before you add {listed.called}.")
        else:
            self._adds.append(Add(listed, listed.role or Role.STUDENT, account.name if account else ""))

    def _change(self, person: Enrollment, listed: Listed) -> None:
        if (earlier := self._met.setdefault(person.pk, listed)) is not listed:
            self._notes.append(
                Note(listed.number, f"{person.user.name} again, as in row {earlier.number}, which counts.")
            )
            return
        if listed.email and listed.email != person.user.email:
            text = (
                f"{person.user.name} signs in as {person.user.email}, and keeps doing so; the file has {listed.email}."
            )
            self._notes.append(Note(listed.number, text))
        differences = tuple(self._differences(person, listed))
        renamed = None
        if listed.name and listed.name != person.user.name:
            renamed = Difference("name", "Name", person.user.name, listed.name)
        returns = person.dropped_at is not None
        if differences or returns or renamed:
            user = person.user
            self._changes.append(Change(person.pk, user.name, user.email, returns, differences, renamed, listed))
        else:
            self._unchanged += 1

    def _differences(self, person: Enrollment, listed: Listed) -> Iterable[Difference]:
        """Of what the file knows; an empty cell changes nothing."""
        if listed.role is not None and listed.role != person.role:
            if person.is_instructor:
                text = f"{person.user.name} is instructor and stays so; a roster changes no instructor's role."
                self._notes.append(Note(listed.number, text))
            else:
                yield Difference("role", "Role", Role(person.role).label, listed.role.label)
        for field, label, name in FIELDS:
            before, after = str(getattr(person, field)), str(getattr(listed, name))
            if after and after != before:
                yield Difference(field, label, before, after)

    def _say_wrong(self, listed: Listed, text: str) -> None:
        self._wrong.append(Note(listed.number, text))


def _keys(person: Enrollment) -> Iterable[tuple[str, str]]:
    named = {
        "lms": person.lms_id,
        "sis": person.sis_id,
        "login": person.sis_login.casefold(),
        "email": person.user.email,
    }
    return ((kind, value) for kind, value in named.items() if value)


def _number(note: Note) -> int:
    return note.number
