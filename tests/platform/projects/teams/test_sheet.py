"""Teams by CSV: however people's files name the columns and the people; every wrong line named; applied as one act."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from audit.models import AuditEvent
from projects.teams.models import Team
from projects.teams.planning import snapshot_of
from projects.teams.selectors import members_of, team_of
from projects.teams.sheet import read_teams
from projects.teams.staffing import arrange
from reviews.sheets.parse import SheetRefused, read_table
from tests.factories import person, team

pytestmark = pytest.mark.django_db


@pytest.fixture
def mei(world):
    student = person(world.offering, name="Mei Chen")
    student.sis_login = "meichen2"
    student.save()
    return student


@pytest.fixture
def mateo(world):
    return person(world.offering, name="Mateo Hernández")


@pytest.fixture
def drivers(world):
    return team(world.offering, world.student, name="Warp Drivers")


def read(world, text: str):
    return read_teams(snapshot_of(world.offering), read_table(text.encode()))


def goes(sheet) -> dict[str, str]:
    """Who goes where, by name; "" is to no team."""
    return {move.student.user.name: move.after for move in sheet.plan.moves}


def problems(sheet) -> list[tuple[int, str]]:
    return [(problem.row, problem.text) for problem in sheet.problems]


@pytest.mark.parametrize(
    "text",
    [
        "email,team\nmei.chen@example.edu,Warp Drivers\n",
        "Team;E-Mail\nwarp drivers;MEI.CHEN@example.edu\n",
        "\ufeffname\tgroup\nMei Chen\tWarp  Drivers\n",
        'Student,Project Team\n"Chen, Mei",Warp Drivers\n',
        "First Name,Last Name,Team name\nMei,Chen,Warp Drivers\n",
        "name,canvas_user_id,user_id,login_id,sections,group_name\nChen,123,9,meichen2,A,Warp Drivers\n",
        "name,email,team\nMay Chen (she/her),mei.chen@example.edu,Warp Drivers\n",
        "ID,Name,Team\n12345,mei chen,Warp Drivers\n",
        "email,team\n\n  mei.chen@example.edu  ,  Warp Drivers  \n\n",
    ],
)
def test_a_student_is_found_by_address_login_or_name(text, world, mei, drivers):
    sheet = read(world, text)
    assert problems(sheet) == []
    assert goes(sheet) == {"Mei Chen": "Warp Drivers"}


@pytest.mark.parametrize("name", ["Mateo Hernández", "mateo hernandez", "Hernández, Mateo", "HERNANDEZ, MATEO"])
def test_accents_and_order_of_a_name_do_not_matter(name, world, mateo, drivers):
    assert goes(read(world, f'name,team\n"{name}",Warp Drivers\n')) == {"Mateo Hernández": "Warp Drivers"}


def test_new_teams_are_made_and_empty_cells_leave_people_where_they_are(world, mei, mateo, drivers):
    sheet = read(
        world,
        "name,team\nMei Chen,Quantum\nMateo Hernandez,  quantum\nAda Lindqvist,\nKofi Mensah,Warp Drivers\n",
    )
    assert goes(sheet) == {"Mei Chen": "Quantum", "Mateo Hernández": "Quantum", "Kofi Mensah": "Warp Drivers"}
    assert sheet.unchanged == 1
    assert [(row.name, row.before, row.after) for row in sheet.plan.teams] == [
        ("Warp Drivers", 1, 2),
        ("Quantum", 0, 2),
    ]


def test_a_dash_takes_out_of_the_team(world, drivers):
    sheet = read(world, "name,team\nAda Lindqvist,-\nKofi Mensah,-\n")
    assert goes(sheet) == {"Ada Lindqvist": ""}
    assert sheet.plan.teams[0].ends


def test_every_wrong_line_is_named(world, mei, drivers):
    twin = person(world.offering, name="Mei Chen", email="other.mei@example.edu")
    sheet = read(
        world,
        "name,email,team\n"
        "Mei Chen,,Warp Drivers\n"
        "Nobody Here,,Warp Drivers\n"
        ",who@example.edu,Warp Drivers\n"
        ",,Warp Drivers\n"
        f",{world.dropped.user.email},Warp Drivers\n"
        f",{world.ta.user.email},Warp Drivers\n"
        "Kofi Mensah,,?!\n"
        "Ada Lindqvist,,Warp Drivers\n"
        ",ada.lindqvist@example.edu,Quantum\n"
        f",{twin.user.email},{'x' * 81}\n",
    )
    told = dict(problems(sheet))
    assert list(told) == [2, 3, 4, 5, 6, 7, 8, 10, 11]
    assert told[2] == "2 students are called “Mei Chen”. Give the e-mail address instead."
    assert "“Nobody Here” is no student of this course" in told[3]
    assert "who@example.edu" in told[4]
    assert told[5].startswith("names nobody")
    assert "is no student" in told[6]
    assert "is no student" in told[7]
    assert "at least one letter or digit" in told[8]
    assert told[10] == "names the same person as row 9. Keep one of the two."
    assert "at most 80 characters" in told[11]
    assert not sheet.can_apply


def test_a_line_that_names_two_people_is_wrong(world, mei, drivers):
    sheet = read(world, "login,name,team\nmeichen2,Ada Lindqvist,Warp Drivers\n")
    assert problems(sheet) == [(2, "names two people: meichen2 and Ada Lindqvist. Correct one of them.")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("email,topic\na@b.c,x\n", "no column “team”"),
        ("first name,team\nMei,x\n", "neither a column “email” nor a column “name”"),
        ("", "no file, or it is empty"),
        ("email,team,team\n", "Two columns are called"),
        ('email,team\n"a', "cannot be read as CSV"),
    ],
)
def test_a_file_that_says_nothing_is_refused_with_a_sentence(text, said, world):
    with pytest.raises(SheetRefused, match=said):
        read(world, text)


def test_sizes_are_judged_as_they_will_be(world, drivers):
    others = [person(world.offering) for _ in range(4)]
    text = "email,team\n" + "".join(f"{row.user.email},Warp Drivers\n" for row in others[:3])
    sheet = read(world, text + f"{others[3].user.email},Solo\n")
    assert [(row.name, row.after) for row in sheet.plan.too_large] == [("Warp Drivers", 4)]
    assert [(row.name, row.after) for row in sheet.plan.too_small] == [("Solo", 1)]


def sent(world, browser, text: str, who=None):
    url = reverse("teams-import", args=[world.offering.slug])
    file = SimpleUploadedFile("teams.csv", text.encode(), content_type="text/csv")
    return browser(who or world.ta).post(url, {"sheet": file})


def test_a_preview_stores_nothing_and_its_confirmation_stores_all_of_it(world, mei, drivers, browser):
    page = sent(world, browser, "name,team\nMei Chen,Quantum\nKofi Mensah,Quantum\nAda Lindqvist,Warp Drivers\n")
    text = page.content.decode()
    assert page.status_code == 200
    assert "Move 2 students" in text
    assert Team.objects.count() == 1
    apply = reverse("teams-apply", args=[world.offering.slug])
    done = browser(world.ta).post(apply, {"signed": page.context["page"].signed, "reason": "drawn by lot"}, follow=True)
    assert "2 students moved" in done.content.decode()
    assert members_of(Team.objects.get(name="Quantum")) == [mei, world.classmate]
    assert AuditEvent.objects.filter(action="put into a team", reason="drawn by lot").count() == 2
    assert AuditEvent.objects.filter(action="formed a team").count() == 1
    # once more: they are not where the preview found them
    again = browser(world.ta).post(apply, {"signed": page.context["page"].signed}, follow=True)
    assert "changed since this page was made" in again.content.decode()


def test_a_file_with_one_wrong_line_offers_nothing_to_confirm(world, mei, browser):
    page = sent(world, browser, "name,team\nMei Chen,Quantum\nNobody,Quantum\n")
    assert "Row 3: “Nobody” is no student" in page.content.decode()
    assert not page.context["page"].signed
    assert b"Move 1 student" not in page.content


def test_somebody_who_joins_elsewhere_meanwhile_stops_the_whole_file(world, mei, mateo, drivers, browser):
    page = sent(world, browser, "name,team\nMei Chen,Quantum\nMateo Hernandez,Quantum\n")
    planned = [row for row in page.context["page"].plan.planned if row.student == mei.pk]
    arrange(offering=world.offering, planned=planned, by=world.instructor.user)
    apply = reverse("teams-apply", args=[world.offering.slug])
    browser(world.ta).post(apply, {"signed": page.context["page"].signed})
    assert team_of(mateo) is None


@pytest.mark.parametrize("data", [{}, {"sheet": "text"}])
def test_no_file_gets_a_sentence(data, world, browser):
    page = browser(world.ta).post(reverse("teams-import", args=[world.offering.slug]), data)
    assert page.status_code == 422
    assert "no file, or it is empty" in page.content.decode()


def test_what_is_downloaded_changes_nothing_when_it_comes_back(world, mei, drivers, browser):
    team(world.offering, mei, name="=1+1")
    file = browser(world.ta).get(reverse("teams-file", args=[world.offering.slug])).content.decode()
    rows = {row["email"]: row["team"] for row in csv.DictReader(io.StringIO(file))}
    assert rows["ada.lindqvist@example.edu"] == "Warp Drivers"
    assert rows["mei.chen@example.edu"] == "'=1+1"
    assert rows["kofi.mensah@example.edu"] == ""
    sheet = read(world, file)
    assert (problems(sheet), goes(sheet)) == ([], {})
