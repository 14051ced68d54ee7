"""One submission for all who are in the team at that moment: whose it is, when it is due, and who may not hand in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from assignments.due.models import Accommodation
from config import clock
from projects.deliverables.services import Work, hand_in
from projects.models import Membership, SubmissionLink, TeamRules, TeamSubmission
from reviews.marking.scores import latest_of_students
from submissions.models import Submission
from submissions.services import IncomingFile, SubmissionRefused
from tests.factories import ExtensionFactory, deliverable, person, team
from tests.platform.projects.deliverables.conftest import PDF, handed_in
from tests.platform.projects.deliverables.test_uploads import packed

pytestmark = pytest.mark.django_db


def refused(assignment, student) -> str:
    before = Submission.objects.count()
    with pytest.raises(SubmissionRefused) as refusal:
        handed_in(assignment, student)
    assert Submission.objects.count() == before
    return str(refusal.value)


def test_it_is_the_work_of_every_member(world, crew):
    code = IncomingFile("code.zip", packed(("run.py", b"print(1)")))
    made = handed_in(crew.proposal, world.classmate, code=code, url="https://example.edu/repo")
    assert set(made.authors.values_list("enrollment", flat=True)) == {world.student.pk, world.classmate.pk}
    assert (made.enrollment, made.number, made.shared_as, made.late) == (world.classmate, 1, "Kestrel", False)
    assert [file.name for file in made.files.all()] == ["report.pdf", "code.zip"]
    assert TeamSubmission.objects.get(submission=made).team == crew.team
    assert SubmissionLink.objects.get(submission=made).url == "https://example.edu/repo"


def test_a_refusal_stores_nothing_at_all(world, crew):
    work = Work(IncomingFile("report.pdf", PDF), url="javascript:alert(1)")
    with pytest.raises(SubmissionRefused):
        hand_in(assignment=crew.proposal, enrollment=world.student, work=work)
    assert not Submission.objects.exists()
    assert not TeamSubmission.objects.exists()


def test_who_joins_later_has_none_of_it_until_the_team_hands_in_again(world, crew):
    first = handed_in(crew.proposal, world.student)
    late = person(world.offering)
    Membership.objects.create(team=crew.team, enrollment=late, joined_at=clock.now())
    assert (late.pk, crew.proposal.pk) not in latest_of_students(crew.proposal)
    second = handed_in(crew.proposal, late)
    assert (second.number, first.number) == (2, 1)
    assert set(latest_of_students(crew.proposal).values()) == {second.pk}


def test_who_left_keeps_what_was_theirs(world, crew):
    first = handed_in(crew.proposal, world.student)
    Membership.objects.filter(enrollment=world.classmate).update(left_at=clock.now())
    Membership.objects.create(team=crew.team, enrollment=person(world.offering), joined_at=clock.now())
    second = handed_in(crew.proposal, world.student)
    counting = latest_of_students(crew.proposal)
    assert counting[world.classmate.pk, crew.proposal.pk] == first.pk
    assert counting[world.student.pk, crew.proposal.pk] == second.pk


def test_a_student_without_a_team_is_told_what_to_do(world, crew):
    alone = person(world.offering)
    said = refused(crew.proposal, alone)
    assert "You are in no team yet" in said
    assert "teams of 2 to 3" in said
    assert "Nothing was handed in" in said


def test_alone_only_where_the_rules_allow_one(world, crew):
    TeamRules.objects.create(offering=world.offering, smallest=1)
    alone = person(world.offering)
    made = handed_in(crew.proposal, alone)
    assert list(made.authors.values_list("enrollment", flat=True)) == [alone.pk]
    assert not TeamSubmission.objects.exists()
    assert not made.is_shared


def test_a_team_of_one_needs_an_exception(world, crew):
    alone = person(world.offering)
    small = team(world.offering, alone, name="Lone Kernel")
    assert "“Lone Kernel” is smaller than the 2 members" in refused(crew.proposal, alone)
    small.size_exception = "Works with an external partner."
    small.save()
    assert handed_in(crew.proposal, alone).shared_as == "Lone Kernel"


def test_nobody_is_kept_from_handing_in_by_a_teammate_who_drops(world, crew):
    world.classmate.dropped_at = clock.now()
    world.classmate.save()
    made = handed_in(crew.proposal, world.student)
    assert list(made.authors.values_list("enrollment", flat=True)) == [world.student.pk]


def test_staff_and_those_who_come_too_early_do_not_hand_in(world, crew):
    assert "Only students hand in" in refused(crew.proposal, world.ta)
    later = deliverable(world.offering, "midterm", opens_at=clock.now() + timedelta(days=1))
    assert "is not open yet" in refused(later, world.student)


def test_an_extension_of_one_moves_the_date_of_all_and_tells_nobody_whose(world, crew, at):
    ExtensionFactory(
        assignment=crew.proposal, enrollment=world.classmate, due_at=crew.proposal.due_at + timedelta(days=2)
    )
    at(crew.proposal.due_at + timedelta(days=1))
    made = handed_in(crew.proposal, world.student)
    assert made.late
    at(crew.proposal.due_at + timedelta(days=3))
    said = refused(crew.proposal, world.student)
    assert "for the whole team" in said
    assert "extension" not in said.partition("Only work in time")[0]
    assert "Kofi" not in said


def test_one_who_has_less_time_takes_nothing_from_the_others(world, crew, at):
    Accommodation.objects.create(
        enrollment=world.student, amount=3, unit="days", reason="r", granted_at=crew.proposal.opens_at
    )
    at(crew.proposal.due_at + timedelta(days=2))
    assert handed_in(crew.proposal, world.classmate).late
    # its own reason is told to the one who has it
    at(crew.proposal.due_at + timedelta(days=4))
    assert "by an accommodation of 3 days" in refused(crew.proposal, world.student)
    assert "accommodation" not in refused(crew.proposal, world.classmate)


def test_the_last_second_is_in_time_and_the_next_is_not(world, crew, at):
    at(crew.proposal.due_at.replace(microsecond=900_000))
    assert not handed_in(crew.proposal, world.student).late
    at(crew.proposal.due_at.replace(microsecond=0) + timedelta(seconds=1))
    assert "Only work in time is accepted" in refused(crew.proposal, world.student)
