"""A semester as it goes: every act by the service that the pages use, at its own moment, and written down beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from assignments.due.services import grant_extension
from assignments.models import Assignment
from assignments.services import assign_lab, publish_lab
from attendance.check_in import check_in
from attendance.codes import code_at
from attendance.models import AttendanceRules, Presence
from attendance.points import give_points
from attendance.records import leave_out, record_presence
from attendance.windows import open_window
from courses.models import Enrollment, Offering, Role, Session
from gradebook.decisions.services import decide
from gradebook.models import Component
from projects.deliverables.services import Work, hand_in
from projects.models import Team
from projects.presentations.opening import remove_speaker
from projects.teams.membership import Details
from projects.teams.services import accept, create_team, invite, leave_team
from readings.summaries.services import hand_in_texts
from reviews.marking.services import adjust
from reviews.regrades.models import Scope
from reviews.regrades.services import apply, start
from reviews.releases.services import release
from reviews.requests.services import Answer, answer, ask
from reviews.services import override, sync_rubric
from submissions.models import Submission
from submissions.services import IncomingFile, SubmissionRefused
from tests.factories import (
    RIGHT,
    TINY,
    closed,
    finished,
    opened,
    person,
    rated,
    reported,
    republish,
    reviewed,
    staff_rated,
    submit,
    talk,
)
from tests.semester.facts import Attempt, Marked, Rules, Student
from web.seed.course import moment, seed_course
from web.seed.pdf import pdf_of

STUDENTS, DROPS, ALONE = 60, 3, 2
SITE = "http://localhost:8000"
DAYS_MORE = timedelta(days=3)
Clock = Callable[[datetime], None]


class Semester:
    """CS 498 with sixty students. `facts` has what happened to each, by enrollment."""

    def __init__(self, at: Clock, seed: int, folder: Path) -> None:
        self.at, self.random, self.folder = at, Random(seed), folder
        self.offering: Offering = seed_course()
        at(moment(self.offering.starts_on, time(8)))
        self.instructor = person(self.offering, Role.INSTRUCTOR)
        self.ta = person(self.offering, Role.TA)
        self.students = [person(self.offering) for _ in range(STUDENTS)]
        self.facts = {student.pk: Student(student.user.name) for student in self.students}
        self.attempts: dict[int, Attempt] = {}
        AttendanceRules.objects.update_or_create(
            offering=self.offering,
            defaults={"free_absences": 2, "participation_share": 20, "participation_target": Decimal(8)},
        )
        self._publish_labs()

    @property
    def rules(self) -> Rules:
        """The syllabus."""
        weights = {row.kind: int(row.weight) for row in self.offering.components.all()}
        labs = [lab.slug for lab in self.offering.assignments.labs()]
        return Rules(weights, 2, 20, 8, labs, [reading.slug for reading in self.offering.assignments.readings()])

    @property
    def active(self) -> list[Enrollment]:
        """Who has not dropped."""
        return [student for student in self.students if not self.facts[student.pk].dropped]

    def go(self) -> None:
        """All sixteen weeks."""
        self.classes()
        for lab in self.offering.assignments.labs():
            self.lab(lab)
        self.regrade(self.offering.assignments.labs()[1])
        for reading in self.offering.assignments.readings():
            self.reading(reading)
        self.drop()
        self.project()
        self.talks()
        self.decisions()
        self.at(moment(self.offering.ends_on, time(12)) + timedelta(days=21))

    def chance(self, percent: int) -> bool:
        """Whether something that happens so often happens now."""
        return self.random.randrange(100) < percent

    def _publish_labs(self) -> None:
        tiny = publish_lab(TINY)
        for lab in self.offering.assignments.labs():
            sync_rubric(assignment=assign_lab(assignment=lab, lab=tiny))

    # attendance

    def classes(self) -> None:
        """Each session: most come and check in, some are excused, and those who are left are absent."""
        sessions = list(self.offering.sessions.all())
        cancelled = self.random.choice(sessions)
        diligence = {student.pk: self.random.randrange(60, 100) for student in self.students}
        for session in sessions:
            self._class(session, diligence, counts=session != cancelled)
        leave_out(session=cancelled, reason="A storm closed the building.", by=self.instructor.user)

    def _class(self, session: Session, diligence: dict[int, int], *, counts: bool) -> None:
        begins = moment(session.date, time(15, 30))
        self.at(begins)
        window = open_window(session=session, minutes=20, by=self.instructor.user)
        self.at(begins + timedelta(minutes=5))
        code = code_at(window, begins + timedelta(minutes=5))
        for number, student in enumerate(self.students):
            facts = self.facts[student.pk]
            if self.chance(diligence[student.pk]):
                check_in(enrollment=student, code=code, address=f"10.0.0.{number}")
                presence = Presence.PRESENT
            elif self.chance(20):
                presence = Presence.EXCUSED
                self._record(session, student, presence)
            else:
                presence = Presence.ABSENT
            if counts:
                facts.presences.append(presence.value)
            if self.chance(6):
                give_points(enrollment=student, points=Decimal("0.5"), reason="asked well", by=self.ta.user)
                facts.participation += Fraction(1, 2)

    def _record(self, session: Session, student: Enrollment, presence: Presence) -> None:
        record_presence(
            sessions=[session], enrollments=[student], presence=presence, reason="a doctor's note", by=self.ta.user
        )

    # labs

    def lab(self, lab: Assignment) -> None:
        """One to three attempts each; the best one counts. Some are late: by an extension they are in time, without one refused."""
        for student in self.students:
            if self.chance(6):
                self._late(lab, student, lambda student=student: self._attempt(lab, student))
                continue
            shares = sorted(self.random.random() for _ in range(self.random.randrange(1, 4)))
            for share in shares:
                self.at(lab.opens_at + share * (lab.due_at - lab.opens_at))
                self._attempt(lab, student)

    def _attempt(self, lab: Assignment, student: Enrollment) -> None:
        submission = submit(lab, student, f"# {self.random.random()}\n{RIGHT}")
        first, second = self.random.randrange(13) / 2, self.random.randrange(9) / 2
        reported(submission, first, second)
        attempt = Attempt(_tasks(first, second), _tasks(6, 4))
        self.attempts[submission.pk] = attempt
        self.facts[student.pk].labs.setdefault(lab.slug, []).append(attempt)
        if self.chance(8):
            self._override(lab, submission, attempt)

    def _override(self, lab: Assignment, submission: Submission, attempt: Attempt) -> None:
        item = self.random.choice(list(lab.rubric.items.all()))
        score = Decimal(self.random.randrange(int(item.points) * 4 + 1)) / 4
        override(submission=submission, item=item, score=score, reason="read by hand", by=self.ta.user)
        attempt.overrides[item.task_id] = Fraction(score)

    def regrade(self, lab: Assignment) -> None:
        """A check was worth too little: all attempts run by the new version, and the new reports count."""
        self.at(lab.due_at + timedelta(days=8))
        republish(lab, self.folder / "newer")
        lab.refresh_from_db()
        made = start(assignment=lab, scope=Scope.ALL, by=self.instructor.user)
        for item in made.items.select_related("job"):
            first, second = self.random.randrange(25) / 2, self.random.randrange(9) / 2
            finished(item.job, first, second, out_of=(12, 4))
            attempt = self.attempts[item.submission_id]
            attempt.points, attempt.out_of = _tasks(first, second), _tasks(12, 4)
        assert apply(regrade=made, reason="The first check was worth too little.", by=self.instructor.user, site=SITE)

    # work that is marked by hand

    def reading(self, reading: Assignment) -> None:
        """Most hand in, some twice; each is marked; some are adjusted; and some ask again after the release."""
        due, handed_in = reading.due_at, {}
        for student in self.students:
            if self.chance(5):
                self._late(
                    reading, student, lambda student=student: handed_in.update({student: _summary(reading, student)})
                )
            elif self.chance(90):
                for hours in sorted(self.random.sample(range(1, 90), self.random.choice((1, 1, 2))), reverse=True):
                    self.at(due - timedelta(hours=hours))
                    handed_in[student] = _summary(reading, student)
        self.at(due + timedelta(days=4))
        for student, submission in handed_in.items():
            self.facts[student.pk].readings[reading.slug] = self._mark(submission)
        release(assignment=reading, by=self.instructor.user, partial=True)
        self.at(due + timedelta(days=5))
        for student in self.random.sample(list(handed_in), 2):
            self._ask_again(handed_in[student], self.facts[student.pk].readings[reading.slug])

    def _mark(self, submission: Submission) -> Marked:
        items = list(submission.assignment.rubric.items.all())
        marks = [self.random.randrange(int(item.points) + 1) for item in items]
        reviewed(submission, self.ta, *marks)
        made = Marked(marks, sum(int(item.points) for item in items))
        if self.chance(8):
            made.adjustment = self.random.choice((-2, -1, 1, 2))
            adjust(submission=submission, points=Decimal(made.adjustment), reason="for the whole", by=self.ta.user)
        return made

    def _ask_again(self, submission: Submission, marked: Marked) -> None:
        items = list(submission.assignment.rubric.items.all())
        place = self.random.randrange(len(items))
        request = ask(submission=submission, item=items[place], reason="I think that this is worth another look.")
        marked.marks[place] = 2 if marked.marks[place] < 2 else 1
        scores = {item.pk: Decimal(mark) for item, mark in zip(items, marked.marks, strict=True)}
        given = Answer("You are right about this item.", True, scores, 1)
        answer(request=request, viewer=self.instructor, given=given, site=SITE)

    def _late(self, assignment: Assignment, student: Enrollment, act: Callable[[], object]) -> None:
        """After the due date: refused, or in time by an extension."""
        if self.chance(50):
            self.at(assignment.due_at - timedelta(hours=9))
            until = assignment.due_at + DAYS_MORE
            by = self.instructor.user
            grant_extension(assignment=assignment, enrollment=student, due_at=until, reason="was ill", by=by)
            self.at(assignment.due_at + DAYS_MORE)
            act()
        else:
            self.at(assignment.due_at + timedelta(seconds=1))
            with pytest.raises(SubmissionRefused):
                act()

    # the project

    def drop(self) -> None:
        """Some leave the course in the middle of the term; their work stays, and counts for nobody."""
        for student in self.random.sample(self.students, DROPS):
            Enrollment.objects.filter(pk=student.pk).update(dropped_at=moment(self.offering.starts_on, time(9)))
            self.facts[student.pk].dropped = True

    def project(self) -> None:
        """Teams of three; one member goes to another team after the proposal. Two work with nobody and hand in nothing."""
        self.at(moment(self.offering.starts_on, time(9)) + timedelta(days=15))
        shuffled = self.random.sample(self.active, len(self.active))
        shuffled = shuffled[: len(shuffled) - ALONE]
        groups = [shuffled[place : place + 3] for place in range(0, len(shuffled), 3)]
        groups = groups if len(groups[-1]) > 1 else groups[:-1]
        self.teams = [self._form(number, group) for number, group in enumerate(groups)]
        stages = {row.deliverable.stage: row for row in self.offering.assignments.deliverables()}
        moved_at = moment(self.offering.starts_on, time(9)) + timedelta(days=20)
        self.stage(stages["proposal"], when=moved_at - timedelta(days=1))
        self.at(moved_at)
        self._move()
        self.stage(stages["midterm"])
        self.stage(stages["final"])

    def _form(self, number: int, members: Sequence[Enrollment]) -> Team:
        first, *others = members
        made = create_team(enrollment=first, details=Details(f"Team {number}"))
        for other in others:
            accept(invitation=invite(enrollment=first, student=other), by=other)
        return made

    def _move(self) -> None:
        """From a full team into one with a place: two of the last team's three go, so that one place is free, or it has one."""
        full = next(team for team in self.teams if team.memberships.current().count() == 3)
        other = next(team for team in reversed(self.teams) if team != full)
        if other.memberships.current().count() == 3:
            leave_team(enrollment=other.memberships.current().last().enrollment)
        goes = full.memberships.current().last().enrollment
        leave_team(enrollment=goes)
        stays = other.memberships.current().first().enrollment
        accept(invitation=invite(enrollment=stays, student=goes), by=goes)

    def stage(self, assignment: Assignment, when: datetime | None = None) -> None:
        """Each team but one hands in, some twice; the last one counts for whoever was in the team then."""
        missing = self.random.choice(self.teams)
        for team in self.teams:
            members = [row.enrollment for row in team.memberships.current().select_related("enrollment")]
            if team == missing:
                continue
            for hours in self.random.choice(((30,), (30, 2))):
                self.at((when or assignment.due_at) - timedelta(hours=hours))
                pdf = pdf_of(team.name, [assignment.title, str(self.random.random())])
                made = hand_in(
                    assignment=assignment,
                    enrollment=self.random.choice(members),
                    work=Work(IncomingFile("report.pdf", pdf)),
                )
            self.at(assignment.due_at + timedelta(days=2))
            marked = self._mark(made)
            for member in members:
                self.facts[member.pk].reports[assignment.deliverable.stage] = marked

    def talks(self) -> None:
        """Each team speaks; classmates and staff rate. One talk is rated by no staff, and one speaker did not come."""
        session = self.offering.sessions.last()
        self.at(moment(session.date, time(15, 30)))
        silent, absent = self.random.sample(self.teams, 2)
        for position, team in enumerate(self.teams, start=1):
            members = [row.enrollment for row in team.memberships.current().select_related("enrollment")]
            planned = opened(talk(team, session=session, position=position), self.ta)
            scores = self._rate(planned, [student for student in self.active if student not in members])
            staff = [] if team == silent else [[self.random.randrange(1, 6) for _ in range(5)] for _ in range(2)]
            for rater, marks in zip((self.ta, self.instructor), staff, strict=False):
                staff_rated(planned, rater, *marks)
            closed(planned, self.ta)
            if team == absent:
                remove_speaker(talk=planned, enrollment=members.pop(), by=self.instructor.user)
            for member in members:
                facts = self.facts[member.pk]
                facts.spoke, facts.class_marks, facts.staff_marks = True, scores, staff

    def _rate(self, planned: object, classmates: Sequence[Enrollment]) -> list[int]:
        scores = []
        for student in classmates:
            if self.chance(25):
                scores.append(self.random.randrange(1, 6))
                rated(planned, student, scores[-1])
        return scores

    # what staff decide at the end

    def decisions(self) -> None:
        """Excused work, and points in place of what a source says."""
        readings = list(self.offering.assignments.readings())
        participation = Component.objects.get(offering=self.offering, kind="participation")
        for student in self.random.sample(self.active, 5):
            reading = self.random.choice(readings)
            decide(student=student, part=reading, points=None, reason="was ill for weeks", by=self.instructor.user)
            self.facts[student.pk].excused.add(f"reading:{reading.slug}")
        for student in self.random.sample(self.active, 3):
            points = (Decimal(17), Decimal(20))
            decide(student=student, part=participation, points=points, reason="remote", by=self.instructor.user)
            self.facts[student.pk].decided["participation"] = Fraction(17, 20)
        whole = self.random.choice(self.active)  # a whole component leaves its weight to the others
        lab_work = [*self.offering.assignments.labs()]
        for lab in lab_work:
            decide(student=whole, part=lab, points=None, reason="joined in April", by=self.instructor.user)
            self.facts[whole.pk].excused.add(f"lab:{lab.slug}")


def _tasks(first: float, second: float) -> dict[str, Fraction]:
    return {"1": Fraction(first), "2": Fraction(second)}


def _summary(reading: Assignment, student: Enrollment) -> Submission:
    return hand_in_texts(assignment=reading, enrollment=student, texts={"problem": "As I see it."}, confirmed=True)
