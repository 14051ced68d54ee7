"""Rosters: what a file would change, whatever it looks like, and that applying it does exactly that."""

from __future__ import annotations

import pytest
from django.core import mail

from accounts.models import User
from accounts.passwords.mail import mail_due_links
from accounts.passwords.models import PasswordLetter
from audit.models import AuditEvent
from courses.models import Enrollment, Role
from courses.services import enroll
from exchange.rosters import services
from exchange.rosters.columns import Field, guessed, missing
from exchange.rosters.lines import names_of, read_lines
from exchange.rosters.plan import plan_of
from exchange.rosters.services import Choices, RosterRefused, Upload, sign
from exchange.tables import read_grid
from submissions.models import Submission
from tests.factories import OfferingFactory, UserFactory, person, submit

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (4711),Final Score
    Points Possible,,,,,50,(read only)
"Lindqvist, Ada",101,671000001,ada2,A,48,96
"Mensah, Kofi",102,671000002,kofi3,A and B,,
"Student, Test",999,,abcdef0123456789,A,,
,,,,,,
"""


def upload_of(text: str, domain: str = "", **columns: int) -> Upload:
    grid = read_grid(text.encode())
    return Upload(grid, guessed(grid) | {Field[name]: place for name, place in columns.items()}, domain, "roster.csv")


def plan(offering, text: str, domain: str = ""):
    return upload_of(text, domain).plan(offering)


def applied(world, text: str, domain: str = "", **choices: bool):
    upload = upload_of(text, domain)
    signed = sign(world.offering, upload, upload.plan(world.offering).fingerprint, by=world.instructor.user)
    return services.apply(offering=world.offering, signed=signed, choices=Choices(**choices), by=world.instructor.user)


@pytest.mark.parametrize(
    ("given", "said", "sorted_as"),
    [
        (("Ada Lindqvist", "", ""), "Ada Lindqvist", "Lindqvist, Ada"),
        (("Lindqvist, Ada", "", ""), "Ada Lindqvist", "Lindqvist, Ada"),
        (("van der Berg, Anna Maria", "", ""), "Anna Maria van der Berg", "van der Berg, Anna Maria"),
        (("", "Anna Maria", "van der Berg"), "Anna Maria van der Berg", "van der Berg, Anna Maria"),
        (("Plato", "", ""), "Plato", "Plato"),
        (("Plato,", "", ""), "Plato", "Plato"),
        (("", "", "Plato"), "Plato", "Plato"),
        (("", "", ""), "", ""),
    ],
)
def test_names_are_read_either_way_round(given, said, sorted_as):
    assert names_of(*given) == (said, sorted_as)


@pytest.mark.parametrize(
    "header",
    [
        "Student,ID,SIS User ID,SIS Login ID,Section",
        "Name,Canvas ID,UIN,NetID,Sections",
        "full name,lms id,student number,login_id,COURSE SECTION",
        "Display Name;canvas_user_id;sis-id;Username;section name",
    ],
)
def test_columns_are_known_by_many_names(header):
    found = guessed(read_grid(f"{header}\n".encode()))
    assert found == {Field.NAME: 0, Field.LMS: 1, Field.SIS: 2, Field.LOGIN: 3, Field.SECTION: 4}


def test_a_file_without_anybodys_address_or_id_asks_for_its_columns():
    grid = read_grid(b"Wer,Wo\nAda,ada@example.edu\n")
    assert "Say below what its columns hold" in missing(guessed(grid))
    assert missing({Field.EMAIL: 1}) == ""


@pytest.mark.django_db
def test_the_export_of_canvas_lists_people_and_neither_points_nor_its_test_student():
    found = plan(OfferingFactory(), CANVAS, "illinois.edu")
    assert [(row.listed.name, row.listed.email, row.listed.lms_id, row.listed.sis_id) for row in found.adds] == [
        ("Ada Lindqvist", "ada2@illinois.edu", "101", "671000001"),
        ("Kofi Mensah", "kofi3@illinois.edu", "102", "671000002"),
    ]
    assert found.adds[1].listed.section == "A and B"
    assert [note.number for note in found.notes] == [2, 5]
    assert found.wrong == ()


@pytest.mark.django_db
def test_logins_without_a_domain_are_wrong_lines_and_say_why():
    found = plan(OfferingFactory(), CANVAS)
    assert [note.number for note in found.wrong] == [3, 4]
    assert "has no e-mail address" in found.wrong[0].text


@pytest.mark.django_db
def test_every_wrong_line_is_named_and_the_others_are_read():
    text = (
        "Name,Email,Role,SIS User ID\n"
        "Ada Lindqvist,ada@@example,student,1\n"
        "Kofi Mensah,kofi@example.edu,wizard,2\n"
        "Yuki Tanaka,yuki@example.edu,ta,6.71E+08\n"
        "Lindqvist, Ada,x@example.edu,student,4\n"
        ",nameless@example.edu,student,5\n"
        "Mei Chen,,student,\n"
        "Noor Haddad,noor@example.edu,TaEnrollment,7\n"
        f"{'x' * 191},long@example.edu,,8\n"
    )
    found = plan(OfferingFactory(), text)
    said = {note.number: note.text for note in found.wrong}
    assert sorted(said) == [2, 3, 4, 5, 6, 7, 9]
    for number, words in (
        (2, "no e-mail address"),
        (3, "no role here"),
        (4, "cut by a spreadsheet"),
        (5, "no quotes"),
        (6, "has no name"),
        (7, "neither an address nor an ID"),
        (9, "longer than 190"),
    ):
        assert words in said[number]
    assert [(row.listed.name, row.role) for row in found.adds] == [("Noor Haddad", Role.TA)]


def test_a_person_listed_twice_counts_once_and_a_contradiction_is_wrong():
    text = (
        "Name,Email,SIS User ID\n"
        "Ada,ada@example.edu,1\nAda,ADA@example.edu,1\nAda,ada@example.edu,\nNot Ada,other@example.edu,1\n"
    )
    grid = read_grid(text.encode())
    found = read_lines(grid, guessed(grid))
    assert [row.number for row in found.people] == [2]
    assert [note.number for note in found.skipped] == [3, 4]
    assert [note.number for note in found.wrong] == [5]


@pytest.mark.django_db
def test_people_are_found_by_any_of_their_ids(world):
    Enrollment.objects.filter(pk=world.student.pk).update(lms_id="101", sis_id="", sis_login="")
    Enrollment.objects.filter(pk=world.classmate.pk).update(sis_login="Kofi3")
    found = plan(world.offering, CANVAS)
    assert found.adds == ()
    assert found.drops == ()
    assert found.wrong == ()
    fields = [{row.field: row.after for row in change.differences} for change in found.changes]
    assert fields == [
        {"sis_id": "671000001", "sis_login": "ada2", "section": "A"},
        {"lms_id": "102", "sis_id": "671000002", "sis_login": "kofi3", "section": "A and B"},
    ]


@pytest.mark.django_db
def test_ids_of_two_people_in_one_line_are_wrong(world):
    Enrollment.objects.filter(pk=world.student.pk).update(lms_id="7")
    text = f"Name,Email,ID\nWho,{world.classmate.user.email},7\n"
    found = plan(world.offering, text)
    assert "belong to different people here: Ada Lindqvist and Kofi Mensah" in found.wrong[0].text


@pytest.mark.django_db
def test_who_is_not_in_the_file_would_drop_but_staff_and_nobody_while_a_line_is_wrong(world):
    assert {drop.enrollment_id for drop in plan(world.offering, "Email\n").drops} == {
        world.student.pk,
        world.classmate.pk,
    }
    assert plan(world.offering, f"Email\n{world.student.user.email}\n").drops[0].enrollment_id == world.classmate.pk
    assert plan(world.offering, f"Email\n{world.student.user.email}\nnobody@\n").drops == ()


@pytest.mark.django_db
def test_an_instructor_keeps_the_role_whatever_a_roster_says(world):
    text = f"Email,Role\n{world.instructor.user.email},student\n{world.ta.user.email},student\n"
    found = plan(world.offering, text)
    assert [(row.enrollment_id, row.differences[0].after) for row in found.changes] == [(world.ta.pk, "Student")]
    assert "stays so" in found.notes[0].text


@pytest.mark.django_db
def test_applying_adds_restores_changes_and_drops_as_one_act(world):
    work = submit(world.lab, world.dropped)
    known = UserFactory(name="Known Already")
    text = (
        "Name,Email,Section,Role\n"
        f"New Person,new@example.edu,A,\n"
        f"Another Name,{known.email},B,TA\n"
        f",{world.dropped.user.email},C,\n"
        f"Ada King,{world.student.user.email},D,\n"
    )
    done = applied(world, text, mail=True)
    assert (done.added, done.changed, done.dropped, done.mailed) == (2, 2, 1, 1)

    new = Enrollment.objects.get(offering=world.offering, user__email="new@example.edu")
    assert (new.role, new.section, new.user.name, new.user.has_usable_password()) == (
        "student",
        "A",
        "New Person",
        False,
    )
    assert Enrollment.objects.get(offering=world.offering, user=known).role == Role.TA
    known.refresh_from_db()
    assert known.name == "Known Already"
    back = Enrollment.objects.get(pk=world.dropped.pk)
    assert (back.dropped_at, back.section) == (None, "C")
    assert Submission.objects.get(pk=work.pk).enrollment == back
    world.student.user.refresh_from_db()
    assert world.student.user.name == "Ada Lindqvist"
    gone = Enrollment.objects.get(pk=world.classmate.pk)
    assert gone.dropped_at is not None
    assert Enrollment.objects.filter(offering=world.offering, dropped_at=None, role=Role.INSTRUCTOR).count() == 1
    said = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert said[-1] == "applied a roster"
    assert {"enrolled", "set a role", "set IDs", "dropped"} <= set(said)


@pytest.mark.django_db
def test_names_change_only_where_that_is_ticked(world):
    text = f"Name,Email\nAda King,{world.student.user.email}\n,{world.classmate.user.email}\n"
    assert applied(world, text).changed == 0
    assert applied(world, text, rename=True).changed == 1
    world.student.user.refresh_from_db()
    assert (world.student.user.name, world.student.user.sort_name) == ("Ada King", "King, Ada")


@pytest.mark.django_db
def test_drops_can_be_left_out_and_a_second_time_changes_nothing(world):
    text = f"Email\n{world.student.user.email}\n"
    assert applied(world, text, drop=False).dropped == 0
    assert applied(world, text).dropped == 1
    assert not plan(world.offering, text).can_apply


@pytest.mark.django_db
def test_nothing_is_done_when_the_class_is_another_one_by_now(world):
    upload = upload_of(f"Email\n{world.student.user.email}\n")
    signed = sign(world.offering, upload, upload.plan(world.offering).fingerprint, by=world.instructor.user)
    person(world.offering)
    with pytest.raises(RosterRefused, match="has changed since"):
        services.apply(offering=world.offering, signed=signed, choices=Choices(), by=world.instructor.user)
    assert Enrollment.objects.get(pk=world.classmate.pk).dropped_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("spoil", ["forged", "other offering", "other person"])
def test_only_ones_own_preview_of_this_course_is_applied(world, spoil):
    upload = upload_of("Email\n")
    by, offering = world.instructor.user, world.offering
    signed = sign(offering, upload, plan_of(offering, read_lines(upload.grid, upload.columns)).fingerprint, by=by)
    if spoil == "forged":
        signed = signed[:-2]
    elif spoil == "other offering":
        offering = world.other_lab.offering
    else:
        by = world.other_instructor.user
    before = list(Enrollment.objects.order_by("pk").values())
    with pytest.raises(RosterRefused):
        services.apply(offering=offering, signed=signed, choices=Choices(), by=by)
    assert list(Enrollment.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_new_people_are_mailed_a_link_and_others_are_not(world):
    applied(world, "Name,Email\nNew Person,new@example.edu\n", mail=True, drop=False)
    assert PasswordLetter.objects.get().user.email == "new@example.edu"
    assert mail_due_links() == 1
    assert mail.outbox[0].to == ["new@example.edu"]
    assert "you were added to a course" in mail.outbox[0].body
    assert mail_due_links() == 0


@pytest.mark.django_db
def test_a_dropped_student_who_is_enrolled_by_hand_is_back_too(world):
    applied(world, f"Email\n{world.student.user.email}\n")
    enroll(offering=world.offering, user=world.classmate.user, role=Role.STUDENT, by=world.instructor.user)
    assert Enrollment.objects.get(pk=world.classmate.pk).dropped_at is None


@pytest.mark.django_db
def test_six_hundred_people_are_compared_in_two_queries(world, django_assert_num_queries):
    lines = "".join(f"Person {n},p{n}@example.edu,{n}\n" for n in range(600))
    upload = upload_of(f"Name,Email,SIS User ID\n{lines}")
    with django_assert_num_queries(2):
        assert len(upload.plan(world.offering).adds) == 600
    assert User.objects.filter(email="p1@example.edu").count() == 0
