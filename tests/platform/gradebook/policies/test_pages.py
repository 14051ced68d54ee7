"""The pages of the scheme: nothing typed is lost, nothing is stored before its dry run, names are not told by accident."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gradebook.models import PolicyChange
from gradebook.policies.services import change_scheme, revision_of
from gradebook.policies.spec import spec_of
from gradebook.policies.trial import try_out
from gradebook.policies.typed import from_spec
from tests.factories import person
from tests.platform.gradebook.classes import decide, random_scores, small_class
from tests.platform.gradebook.policies.test_rules import published

pytestmark = pytest.mark.django_db


@pytest.fixture
def klass(world):
    offering, _ = small_class(3, world.offering)
    decide(world.student, offering.components.get(kind="presentation"), "50")
    return world


def url(world, name, *args):
    return reverse(name, args=[world.offering.slug, *args])


def form(spec, revision=0, **more):
    data = {}
    for name, value in from_spec(spec, revision).fields():
        data.setdefault(name, []).append(value)
    return data | more


def test_the_page_tells_the_scheme_and_offers_the_other_preset(klass, browser):
    page = browser(klass.instructor).get(url(klass, "grading")).content.decode()
    assert "Scheme A stands" in page
    assert "Try out scheme B" in page
    assert "counts zero" in page
    ta = browser(klass.ta).get(url(klass, "grading")).content.decode()
    assert "Try out scheme B" not in ta
    assert url(klass, "grading-edit") not in ta


def test_scheme_b_is_one_click_from_its_dry_run_and_two_from_being_saved(klass, browser):
    client = browser(klass.instructor)
    trial = client.post(url(klass, "grading-preview"), form(published("B")))
    page = trial.content.decode()
    assert "1 of 5 students change" in page
    assert "Final research project presentation weighs 15 % instead of 14 %." in page
    assert spec_of(klass.offering) == published("A")
    saved = client.post(
        url(klass, "grading-save"),
        form(published("B"), reason="As announced", seen=trial.context["page"].outcome.digest),
    )
    made = PolicyChange.objects.get()
    assert saved.headers["Location"] == url(klass, "grading-change", made.pk)
    assert spec_of(klass.offering) == published("B")


def test_names_stand_behind_a_box(klass, browser):
    page = browser(klass.instructor).post(url(klass, "grading-preview"), form(published("B"))).content.decode()
    assert '<span class="who-number">Student 1</span><span class="who-name">Ada Lindqvist</span>' in page
    assert page.count("Ada Lindqvist") == 1


def test_what_is_wrong_is_said_at_its_field_and_everything_typed_comes_back(klass, browser):
    data = form(published()) | {"labs-weight": ["twenty"], "labs-name": ["<b>Labs</b>"], "round_to": ["half"]}
    answer = browser(klass.instructor).post(url(klass, "grading-preview"), data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="twenty"' in page
    assert "&lt;b&gt;Labs&lt;/b&gt;" in page
    assert 'id="f-labs-weight-error"' in page
    assert 'value="half"' in page
    assert "2 fields need another look" in page


def test_a_sum_that_is_not_100_is_named_with_every_part(klass, browser):
    data = form(published()) | {"presentation-weight": ["15"]}
    page = browser(klass.instructor).post(url(klass, "grading-preview"), data).content.decode()
    assert "The weights add up to 101, not 100: Attendance and class participation 20, Lab assignments 21" in page


def test_two_instructors_lose_nothing(klass, browser):
    change_scheme(offering=klass.offering, spec=published("B"), by=klass.instructor.user, reason="because")
    mine = published("A", round_to=Decimal("0.5"))
    for name, more in (("grading-preview", {}), ("grading-save", {"reason": "because"})):
        answer = browser(klass.instructor).post(url(klass, name), form(mine, revision=0, **more))
        page = answer.content.decode()
        assert answer.status_code == 409
        assert "Ines Carvalho has changed the grading scheme since you opened it." in page
        assert "What was saved meanwhile" in page
        assert "Final report weighs 14 % instead of 15 %." in page
        assert "Final report weighs 15 % instead of 14 %." in page
        assert 'name="round_to" value="0.5"' in page
        assert f'name="revision" value="{revision_of(klass.offering)}"' in page
    assert spec_of(klass.offering) == published("B")


def test_a_conflict_with_a_revert_is_told_too(klass, browser):
    made = change_scheme(offering=klass.offering, spec=published("B"), by=klass.ta.user, reason="because")
    client = browser(klass.instructor)
    client.post(url(klass, "grading-revert", made.pk))
    page = client.post(url(klass, "grading-preview"), form(published("B"), revision=1)).content.decode()
    assert "Ines Carvalho has changed" in page
    assert "Final report weighs 15 % instead of 14 %." in page


def test_a_refusal_keeps_the_reason_and_the_form(klass, browser):
    answer = browser(klass.instructor).post(url(klass, "grading-save"), form(published("B"), reason="x"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Please give a reason" in page
    assert 'name="presentation-weight" value="15"' in page
    too_long = browser(klass.instructor).post(url(klass, "grading-save"), form(published("B"), reason="x" * 2001))
    assert "below 2,000 characters" in too_long.content.decode()
    assert not PolicyChange.objects.exists()


def test_a_component_in_use_leads_back_to_the_editor(klass, browser):
    kept = tuple(row for row in published().components if row.kind != "presentation")
    data = form(published(components=kept)) | {"final-weight": ["29"]}
    for name, more in (("grading-preview", {}), ("grading-save", {"reason": "because"})):
        answer = browser(klass.instructor).post(url(klass, name), data | more)
        assert answer.status_code == 422
        assert "cannot be removed, since students have points in it" in answer.content.decode()


@pytest.mark.parametrize(
    "act", ["add", "add:labs", "remove:labs", "preset:B", "add-letter:3", "remove-letter:0", "letters", "x", ""]
)
def test_the_buttons_of_the_editor_store_nothing(act, klass, browser):
    answer = browser(klass.instructor).post(url(klass, "grading-draft"), form(published(), act=act))
    assert answer.status_code == 200
    assert spec_of(klass.offering) == published()


def test_a_revert_shows_the_same_dry_run_first(klass, browser):
    made = change_scheme(offering=klass.offering, spec=published("B"), by=klass.instructor.user, reason="because")
    client = browser(klass.instructor)
    trial = client.get(url(klass, "grading-try-revert", made.pk))
    assert "1 of 5 students change" in trial.content.decode()
    outcome = trial.context["page"].outcome
    assert outcome.digest == try_out(klass.offering, published("A")).digest
    client.post(url(klass, "grading-revert", made.pk), {"seen": "of another time"})
    assert spec_of(klass.offering) == published("B")
    client.post(url(klass, "grading-revert", made.pk), {"seen": outcome.digest})
    assert spec_of(klass.offering) == published("A")
    assert client.get(url(klass, "grading-try-revert", made.pk)).status_code == 302
    assert "Reverted" in client.get(url(klass, "grading-change", made.pk)).content.decode()


@pytest.mark.parametrize("name", ["grading", "grading-preview"])
def test_the_pages_ask_the_same_for_any_class(name, klass, browser):
    client = browser(klass.instructor)

    def asked():
        with CaptureQueriesContext(connection) as queries:
            if name == "grading":
                client.get(url(klass, name))
            else:
                client.post(url(klass, name), form(published("B")))
        return len(queries)

    asked()
    few = asked()
    random_scores(klass.offering, [person(klass.offering) for _ in range(20)], 3)
    assert asked() == few
