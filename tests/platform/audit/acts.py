"""Acts of staff that change a score, a rubric, a date, a role or a team, and how the trail calls each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time, timedelta
from decimal import Decimal

from django.core.management import call_command

from assignments.due.services import grant_extension
from assignments.services import set_limits
from attendance.models import Presence
from attendance.points import give_points, withdraw_points
from attendance.records import leave_out, put_back, record_presence
from attendance.rules import WantedRules, dry_run, save_rules
from attendance.windows import close_window, extend_window, open_window
from config import clock
from courses.models import Role
from courses.services import enroll
from gradebook.at_risk.services import set_rules as set_at_risk_rules
from gradebook.decisions.services import decide
from gradebook.decisions.services import withdraw as withdraw_decision
from gradebook.freezing.services import freeze, lift, take_snapshot
from gradebook.policies.services import revert as revert_scheme
from gradebook.presets import weights
from gradebook.services import create_scheme, set_weights
from projects.deliverables.keeping import Description, add_deliverable, edit_deliverable, remove_deliverable, usual
from projects.presentations import planning
from projects.presentations.opening import remove_speaker
from projects.presentations.planning import NewRules
from projects.presentations.releasing import release as release_talks
from projects.presentations.releasing import take_back
from projects.teams.membership import Details
from projects.teams.planning import Planned, Target
from projects.teams.services import change_team, create_team, leave_team
from projects.teams.staffing import arrange, except_size, set_rules
from reviews.boards.services import hide, join, show
from reviews.marking.services import adjust
from reviews.releases.services import release, retract, undo
from reviews.services import override, withdraw_override
from reviews.services import release as release_overrides
from tests.factories import (
    ReadingFactory,
    SessionFactory,
    UserFactory,
    closed,
    opened,
    person,
    rated,
    reported,
    republish,
    reviewed,
    submit,
    summary,
    talk,
    team,
)
from tests.platform.audit import exchange_acts


@dataclass(frozen=True)
class Act:
    """Something that staff do, and how the trail calls it."""

    action: str
    do: Callable[..., object]


def _reading(world):
    return ReadingFactory(assignment__offering=world.offering).assignment


def _graded(world):
    made = summary(_reading(world), world.student)
    reviewed(made, world.ta)
    return made


def _released(world):
    return release(assignment=_graded(world).assignment, by=world.instructor.user)


def _overridden(world):
    made = reported(submit(world.lab, world.student))
    item = world.lab.rubric.items.first()
    override(submission=made, item=item, score=Decimal(1), reason="because", by=world.ta.user)
    return made


def _later(world, settings):
    settings.RELEASE_UNDO_S = 0
    return _released(world)


def _in_a_team(world):
    return create_team(enrollment=world.student, details=Details("Warp Drivers"))


def _placed(world, *, source=None, **target):
    planned = [Planned(world.student.pk, source.pk if source else None, Target(**target))]
    return arrange(offering=world.offering, planned=planned, by=world.ta.user)


def _deliverable(world):
    return add_deliverable(offering=world.offering, description=usual(world.offering), by=world.instructor.user)


def _edited(world, days=0, **changes):
    made = _deliverable(world)
    about = Description.of(made)
    wanted = replace(about, due_at=about.due_at + timedelta(days=days), **changes)
    return edit_deliverable(deliverable=made, description=wanted, by=world.instructor.user)


def _planned(world):
    return talk(team(world.offering, world.student))


def _rated(world):
    about = opened(_planned(world), world.ta)
    rated(about, world.classmate)
    return closed(about, world.ta)


def _off_a_board(world):
    member = join(assignment=world.lab, enrollment=world.student, name="Warp Nine")
    assert hide(member=member, reason="because", by=world.ta.user)
    return member


def _shown(world):
    about = _rated(world)
    release_talks(offering=world.offering, talks=[about.pk], by=world.instructor.user)
    return about


def _shown_before(world, settings):
    settings.RELEASE_UNDO_S = 0
    return _shown(world)


def _rules_of_talks(world):
    new = NewRules(staff_share=40, scale=5, talk_minutes=10, question_minutes=5, first_talk=time(10))
    return planning.set_rules(offering=world.offering, new=new, by=world.instructor.user)


def _added(world, **options):
    session = SessionFactory(offering=world.offering)
    made = team(world.offering, person(world.offering))
    return planning.add_talk(
        offering=world.offering, team=made, session=session, practice=False, by=world.ta.user, **options
    )


def _moved(world):
    session = SessionFactory(offering=world.offering)
    return planning.move(talk=_added(world), session=session, by=world.ta.user)


def _schemed(world):
    create_scheme(offering=world.offering, weights=weights("A"))
    return world.offering


def _excused(world):
    return decide(student=world.student, part=world.lab, points=None, reason="ill", by=world.ta.user)


def _recorded(world):
    session = SessionFactory(offering=world.offering)
    asked = {"sessions": [session], "enrollments": [world.student], "reason": "roll call", "by": world.ta.user}
    record_presence(**asked, presence=Presence.PRESENT)
    return asked


def _opened(world):
    session = SessionFactory(offering=world.offering)
    window = open_window(session=session, minutes=10, by=world.ta.user)
    session.attendances.create(
        enrollment=world.student, presence=Presence.PRESENT, window=window, recorded_at=clock.now()
    )
    return session


def _left_out(world):
    session = SessionFactory(offering=world.offering)
    leave_out(session=session, reason="snow", by=world.instructor.user)
    return session


def _given(world):
    return give_points(enrollment=world.student, points=Decimal(1), reason="asked", by=world.ta.user)


def _ruled(world):
    wanted = WantedRules(1, 0, Decimal(10), 20)
    seen = dry_run(offering=world.offering, wanted=wanted).digest
    save_rules(offering=world.offering, wanted=wanted, reason="voted", seen=seen, by=world.instructor.user)


def _scheme_reverted(world):
    set_weights(offering=_schemed(world), weights=weights("B"), by=world.instructor.user)
    return revert_scheme(change=world.offering.policy_changes.get(), by=world.instructor.user)


def _frozen(world):
    return freeze(offering=world.offering, by=world.instructor.user, note="final in spite of that")


ACTS = [
    Act("recorded attendance", lambda world, **_: _recorded(world)),
    Act(
        "removed a record of attendance",
        lambda world, **_: record_presence(**_recorded(world), presence=None),
    ),
    Act("opened a check-in", lambda world, **_: _opened(world)),
    Act(
        "extended a check-in",
        lambda world, **_: extend_window(session=_opened(world), minutes=5, by=world.ta.user),
    ),
    Act("closed a check-in", lambda world, **_: close_window(session=_opened(world), by=world.ta.user)),
    Act("left a session out", lambda world, **_: _left_out(world)),
    Act("put a session back", lambda world, **_: put_back(session=_left_out(world), by=world.instructor.user)),
    Act("gave participation points", lambda world, **_: _given(world)),
    Act(
        "withdrew participation points",
        lambda world, **_: withdraw_points(point=_given(world), reason="wrong name", by=world.ta.user),
    ),
    Act("changed the attendance rules", lambda world, **_: _ruled(world)),
    Act("graded", lambda world, **_: _graded(world)),
    Act(
        "adjusted",
        lambda world, **_: adjust(submission=_graded(world), points=Decimal(-1), reason="late", by=world.ta.user),
    ),
    Act("overrode", lambda world, **_: _overridden(world)),
    Act(
        "withdrew override",
        lambda world, **_: withdraw_override(
            submission=_overridden(world), item=world.lab.rubric.items.first(), by=world.ta.user
        ),
    ),
    Act("released", lambda world, **_: release_overrides(submission=_overridden(world), by=world.ta.user)),
    Act("released", lambda world, **_: _released(world)),
    Act("undid a release", lambda world, **_: undo(release=_released(world), by=world.instructor.user)),
    Act(
        "took a release back",
        lambda world, settings, **_: retract(
            release=_later(world, settings), reason="wrong key", by=world.instructor.user
        ),
    ),
    Act("changed the rubric", lambda world, tmp_path, **_: republish(world.lab, tmp_path / "newer")),
    Act("set the lab's version", lambda world, tmp_path, **_: republish(world.lab, tmp_path / "newer")),
    Act(
        "set limits",
        lambda world, **_: set_limits(
            assignment=world.lab, max_attempts=3, cooldown_minutes=None, by=world.instructor.user
        ),
    ),
    Act(
        "granted an extension",
        lambda world, **_: grant_extension(
            assignment=world.lab,
            enrollment=world.student,
            due_at=clock.now() + timedelta(days=30),
            reason="ill",
            by=world.instructor.user,
        ),
    ),
    Act("enrolled", lambda world, **_: enroll(offering=world.offering, user=UserFactory(), role=Role.STUDENT)),
    Act("set a role", lambda world, **_: enroll(offering=world.offering, user=world.ta.user, role=Role.INSTRUCTOR)),
    Act("set a role", lambda world, **_: enroll(offering=world.offering, user=world.dropped.user, role=Role.STUDENT)),
    Act(
        "set a role",
        lambda world, **_: call_command("enroll", world.offering.slug, world.ta.user.email, "x", role="student"),
    ),
    *(Act(action, do) for action, do in exchange_acts.ACTS),
    Act("formed a team", lambda world, **_: _in_a_team(world)),
    Act("joined a team", lambda world, **_: _in_a_team(world)),
    Act("left a team", lambda world, **_: (_in_a_team(world), leave_team(enrollment=world.student))),
    Act("disbanded a team", lambda world, **_: (_in_a_team(world), leave_team(enrollment=world.student))),
    Act(
        "changed a team",
        lambda world, **_: (_in_a_team(world), change_team(enrollment=world.student, details=Details("Other"))),
    ),
    Act("put into a team", lambda world, **_: _placed(world, new="Quantum")),
    Act("moved to another team", lambda world, **_: _placed(world, source=_in_a_team(world), new="Quantum")),
    Act("took out of a team", lambda world, **_: _placed(world, source=_in_a_team(world))),
    Act(
        "let a team have another size",
        lambda world, **_: except_size(team=_in_a_team(world), reason="others dropped", by=world.ta.user),
    ),
    Act(
        "set the rules of teams",
        lambda world, **_: set_rules(
            offering=world.offering, smallest=1, largest=4, lock_at=None, by=world.instructor.user
        ),
    ),
    Act("excused from a part", lambda world, **_: _excused(world)),
    Act(
        "set the points of a part",
        lambda world, **_: decide(
            student=world.student, part=world.lab, points=(Decimal(1), Decimal(2)), reason="orally", by=world.ta.user
        ),
    ),
    Act("withdrew a decision", lambda world, **_: withdraw_decision(decision=_excused(world), by=world.ta.user)),
    Act("added a deliverable", lambda world, **_: _deliverable(world)),
    Act("changed the due date", lambda world, **_: _edited(world, days=1)),
    Act("edited a deliverable", lambda world, **_: _edited(world, stage="presentation")),
    Act("set the rules of talks", lambda world, **_: _rules_of_talks(world)),
    Act("planned talks", lambda world, **_: _added(world)),
    Act("reordered talks", lambda world, **_: _moved(world)),
    Act("took a talk off the schedule", lambda world, **_: planning.remove(talk=_added(world), by=world.ta.user)),
    Act("opened ratings", lambda world, **_: opened(_planned(world), world.ta)),
    Act("closed ratings", lambda world, **_: _rated(world)),
    Act("reopened ratings", lambda world, **_: opened(_rated(world), world.ta)),
    Act(
        "changed speakers",
        lambda world, **_: remove_speaker(talk=_rated(world), enrollment=world.student, by=world.ta.user),
    ),
    Act("released a talk's score", lambda world, **_: _shown(world)),
    Act(
        "undid the release of a talk's score",
        lambda world, **_: take_back(talk=_shown(world), reason="", by=world.instructor.user),
    ),
    Act(
        "took a talk's score back",
        lambda world, settings, **_: take_back(
            talk=_shown_before(world, settings), reason="a mark was wrong", by=world.instructor.user
        ),
    ),
    Act("made the grading scheme", lambda world, **_: _schemed(world)),
    Act(
        "removed a deliverable",
        lambda world, **_: remove_deliverable(deliverable=_deliverable(world), by=world.instructor.user),
    ),
    Act("made the grading scheme", lambda world, **_: _schemed(world)),
    Act("reverted a change of the grading scheme", lambda world, **_: _scheme_reverted(world)),
    Act("froze the grades", lambda world, **_: _frozen(world)),
    Act("took a name off a board", lambda world, **_: _off_a_board(world)),
    Act("put a name back on a board", lambda world, **_: show(member=_off_a_board(world), by=world.ta.user)),
    Act(
        "lifted the freeze of grades",
        lambda world, **_: lift(snapshot=_frozen(world), reason="a late regrade", by=world.instructor.user),
    ),
    Act(
        "took a snapshot of the grades",
        lambda world, **_: take_snapshot(offering=world.offering, by=world.instructor.user),
    ),
    Act(
        "set the at-risk rules",
        lambda world, **_: set_at_risk_rules(
            offering=world.offering,
            by=world.instructor.user,
            score_below=None,
            missing_in_row=1,
            absences_beyond=None,
            idle_days=7,
            without_team=True,
        ),
    ),
    Act(
        "changed the grading scheme",
        lambda world, **_: set_weights(offering=_schemed(world), weights=weights("B"), by=world.instructor.user),
    ),
]
