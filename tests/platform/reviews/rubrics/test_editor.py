"""The editor: a plain form whose buttons change what was typed, which says what is wrong beside its field and loses nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from reviews.models import Rubric, RubricItem
from reviews.rubrics.checks import check, free_name
from reviews.rubrics.models import RubricChange
from reviews.rubrics.spec import RubricSpec, for_another, same_content, spec_of
from reviews.rubrics.typed import MOST_ITEMS, TypedRubric, act_on, from_post, from_spec
from reviews.rubrics.words import differences
from tests.factories import person, reviewed, summary
from tests.platform.reviews.rubrics.specs import change_item, form_of, item, levels

pytestmark = pytest.mark.django_db


def url_of(world, name, *more) -> str:
    return reverse(name, args=[world.offering.slug, "proposal", *more])


def form(spec: RubricSpec, **more) -> dict[str, list[str]]:
    revision = Rubric.objects.get(assignment__slug="proposal").revision
    return form_of(spec, revision, **more)


def typed_of(data: dict[str, list[str]]) -> TypedRubric:
    query = QueryDict(mutable=True)
    for name, values in data.items():
        query.setlist(name, values)
    return from_post(query)


def uids(typed: TypedRubric) -> list[str]:
    return [row.uid for row in typed.items]


def hidden(page) -> dict[str, list[str]]:
    """What the dry run's form would post."""
    data: dict[str, list[str]] = {"seen": [page.outcome.digest]}
    for name, value in page.typed.fields():
        data.setdefault(name, []).append(value)
    return data | ({"also": ["1"]} if page.typed.also else {})


def test_what_is_stored_comes_back_from_the_form_as_it_was(stored):
    spec = stored()
    typed = typed_of(form(spec))
    assert typed == from_spec(spec, typed.revision)
    checked = check(typed, Rubric.objects.get(assignment__slug="proposal"))
    assert same_content(checked.spec, spec)
    assert differences(spec, checked.spec) == ()


def test_the_buttons_of_the_form(stored):
    typed = from_spec(stored(), 1)
    first, second = uids(typed)
    assert uids(act_on(typed, f"down:{first}")) == [second, first]
    assert uids(act_on(typed, f"up:{second}")) == [second, first]
    assert uids(act_on(typed, f"up:{first}")) == [first, second]
    assert uids(act_on(typed, f"remove:{first}")) == [second]
    more = act_on(act_on(typed, "add"), "add")
    assert uids(more) == [first, second, "new1", "new2"]
    assert uids(act_on(act_on(more, "remove:new1"), "add")) == [first, second, "new2", "new1"]
    keys = [level.key for level in act_on(typed, f"add-level:{first}").items[0].levels]
    assert keys == ["2", "1", "0", "3"]
    keys = [level.key for level in act_on(typed, f"remove-level:{first}:1").items[0].levels]
    assert keys == ["2", "0"]


@pytest.mark.parametrize(
    "act", ["", "fly", "up", "up:", "up:999", "remove:new9", "remove-level:999:0", "add-level:x", "remove-level"]
)
def test_a_press_that_means_nothing_changes_nothing(stored, act):
    typed = from_spec(stored(), 1)
    assert act_on(typed, act) == typed


def test_a_rubric_and_its_levels_end_somewhere(stored):
    typed = from_spec(stored(), 1)
    for _ in range(MOST_ITEMS + 5):
        typed = act_on(typed, "add")
    assert len(typed.items) == MOST_ITEMS
    for _ in range(15):
        typed = act_on(typed, f"add-level:{typed.items[0].uid}")
    assert sorted(level.key for level in typed.items[0].levels) == list("0123456789")


def test_fields_of_other_names_and_odd_ids_are_not_looked_at():
    typed = typed_of({"item": ["1; drop", "new1", "new1", "0", "../x"], "new1-title": ["One"], "score": ["100"]})
    assert uids(typed) == ["new1"]
    assert typed.revision == -1


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        ("title", "  ", "Please give the item a title"),
        ("title", "x" * 201, "below 200 characters"),
        ("title", "a\x00b", "cannot be stored"),
        ("points", "", "Points are a number"),
        ("points", "two", "Points are a number"),
        ("points", "0", "more than 0 points"),
        ("points", "-1", "between 0 and 1000"),
        ("points", "1e9", "between 0 and 1000"),
        ("points", "NaN", "between 0 and 1000"),
        ("points", "Infinity", "between 0 and 1000"),
        ("points", "1.005", "at most two decimals"),
        ("points", "1", "The item has 1 points"),
        ("description", "x" * 4001, "below 4,000 characters"),
        ("note", "x\x00", "cannot be stored"),
        ("key", "x", "one digit"),
        ("key", "", "one digit"),
        ("key", "12", "one digit"),
        ("key", "1", "has a level already"),
        ("level-points", "9", "The item has 2 points"),
        ("level-points", "much", "Points are a number"),
        ("label", "", "what the level means"),
        ("label", "x" * 121, "below 120 characters"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_everything_typed_is_there(
    *, world, stored, browser, part, value, sentence
):
    data = form(stored())
    name = f"{data['item'][0]}-{part}"
    data[name][0] = value
    data[f"{data['item'][1]}-description"] = ["A long thought that must not be lost."]
    response = browser(world.instructor).post(url_of(world, "rubric-preview"), data)
    page = response.content.decode()
    assert response.status_code == 422
    assert sentence in page.replace("&#x27;", "'")
    assert "aria-invalid" in page
    assert "A long thought that must not be lost." in page
    assert not RubricChange.objects.exists()
    assert browser(world.instructor).post(url_of(world, "rubric-save"), data).status_code == 422
    assert not RubricChange.objects.exists()


def test_a_rubric_without_items_is_none(world, stored, browser):
    response = browser(world.instructor).post(url_of(world, "rubric-preview"), form(RubricSpec(())))
    assert (response.status_code, "at least one item" in response.content.decode()) == (422, True)


def test_an_item_of_another_rubric_is_not_taken_over(world, stored, browser):
    theirs = world.lab.rubric.items.first()
    spec = RubricSpec((*stored().items, item("thief", pk=theirs.pk)))
    response = browser(world.instructor).post(url_of(world, "rubric-preview"), form(spec))
    assert "of another rubric" in response.content.decode()
    assert browser(world.instructor).post(url_of(world, "rubric-save"), form(spec)).status_code == 422
    theirs.refresh_from_db()
    assert theirs.rubric_id == world.lab.rubric.pk


@pytest.mark.parametrize(
    ("wish", "taken", "name"),
    [
        ("The problem", set(), "the-problem"),
        ("The problem", {"the-problem"}, "the-problem-2"),
        ("!?", set(), "item"),
        ("Größe", set(), "groe"),
        ("x" * 90, set(), "x" * 36),
    ],
)
def test_short_names_come_from_titles(wish, taken, name):
    assert free_name(wish, taken) == name


def test_from_the_form_to_the_scores_and_back_without_a_script(world, proposal, stored, browser):
    work = summary(proposal, world.student)
    reviewed(work, world.ta, 1, 4)
    client = browser(world.instructor)
    spec = change_item(stored(), 0, points=Decimal(4), levels=levels(k2=4, k1=3, k0=0))
    shown = client.post(url_of(world, "rubric-preview"), form(spec))
    page = shown.content.decode()
    assert "Save and re-apply (1 student changes)" in page
    assert "Ada Lindqvist" in page
    assert not RubricChange.objects.exists()
    data = hidden(shown.context["page"])
    missing = client.post(url_of(world, "rubric-save"), data | {"reapply": "1"})
    assert (missing.status_code, "give a reason" in missing.content.decode()) == (422, True)
    done = client.post(url_of(world, "rubric-save"), data | {"reapply": "1", "reason": "too coarse"}, follow=True)
    assert "+2" in done.content.decode()
    change = RubricChange.objects.get()
    done = client.post(url_of(world, "rubric-revert", change.pk), follow=True)
    assert "Reverted: rubric and marks are as they were before." in done.content.decode()
    assert spec_of(Rubric.objects.get(assignment=proposal)).points == 6
    again = client.post(url_of(world, "rubric-revert", change.pk), follow=True)
    assert "That was done already" in again.content.decode()


def test_what_is_graded_between_the_dry_run_and_the_button_is_shown_first(world, proposal, stored, browser):
    reviewed(summary(proposal, world.student), world.ta, 1, 4)
    client = browser(world.instructor)
    spec = change_item(stored(), 0, points=Decimal(4), levels=levels(k2=4, k1=3, k0=0))
    data = hidden(client.post(url_of(world, "rubric-preview"), form(spec)).context["page"])
    reviewed(summary(proposal, world.classmate), world.ta, 1, 4)
    again = client.post(url_of(world, "rubric-save"), data | {"reapply": "1", "reason": "too coarse"})
    page = again.content.decode()
    assert again.status_code == 422
    assert "Somebody graded or edited since" in page
    assert "2 students change)" in page
    assert "too coarse" in page


def test_who_comes_second_is_told_and_keeps_what_was_typed(world, stored, browser):
    old = form(change_item(stored(), 1, title="My better title", description="My long text."))
    client = browser(world.instructor)
    theirs = client.post(url_of(world, "rubric-save"), form(change_item(stored(), 0, title="Theirs")))
    assert theirs.status_code == 302
    for name in ("rubric-preview", "rubric-save"):
        told = client.post(url_of(world, name), old)
        page = told.content.decode()
        assert told.status_code == 409
        assert "Ines Carvalho has saved this rubric since you opened it." in page
        assert "My better title" in page
        assert "My long text." in page
        assert "“Theirs” is called “Idea”." in page
    kept = client.post(url_of(world, "rubric-preview"), old | {"revision": [str(told.context["page"].revision)]})
    assert kept.status_code == 200


def test_an_item_is_added_and_typed_without_a_script(world, stored, browser):
    client = browser(world.instructor)
    data = form(stored()) | {"act": ["add"]}
    page = client.post(url_of(world, "rubric-draft"), data).context["page"]
    assert [row.uid for row in page.items][-1] == "new1"
    assert page.focus == "new1"
    assert [level.label.value for level in page.items[-1].levels] == ["level 4", "level 2", "level 0"]
    assert RubricItem.objects.filter(rubric__assignment__slug="proposal").count() == 2


def test_a_retired_item_with_marks_can_be_brought_back(world, proposal, stored, saved, browser):
    reviewed(summary(proposal, world.student), world.ta, 1, 4)
    saved(RubricSpec(stored().items[1:]))
    client = browser(world.instructor)
    page = client.get(url_of(world, "rubric-edit")).context["page"]
    assert [row.title for row in page.retired] == ["Idea"]
    data = form(stored()) | {"act": [f"back:{page.retired[0].pk}"]}
    page = client.post(url_of(world, "rubric-draft"), data).context["page"]
    assert ([row.title.value for row in page.items], page.retired) == (["Plan", "Idea"], ())


def test_what_people_type_is_text(world, stored, saved, browser):
    evil = '"><script>alert(1)</script>'
    saved(change_item(stored(), 0, title=evil, description=evil, grader_note=evil, levels=levels(k2=2)), reason=evil)
    client = browser(world.instructor)
    change = RubricChange.objects.get()
    for url in (url_of(world, "rubric"), url_of(world, "rubric-edit"), url_of(world, "rubric-change", change.pk)):
        page = client.get(url).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_teaching_assistants_read_and_do_not_edit(world, stored, saved, browser):
    saved(change_item(stored(), 0, title="New"))
    change = RubricChange.objects.get()
    page = browser(world.ta).get(url_of(world, "rubric")).content.decode()
    assert url_of(world, "rubric-edit") not in page
    assert (
        url_of(world, "rubric-revert", change.pk)
        not in browser(world.ta).get(url_of(world, "rubric-change", change.pk)).content.decode()
    )


def test_the_rubric_of_a_lab_is_not_edited_here(world, browser):
    for name in ("rubric", "rubric-edit"):
        assert (
            browser(world.instructor).get(reverse(name, args=[world.offering.slug, world.lab.slug])).status_code == 404
        )


def test_an_assignment_without_a_rubric_gets_one_by_the_form(world, proposal, browser):
    Rubric.objects.filter(assignment=proposal).delete()
    client = browser(world.instructor)
    assert "no rubric yet" in client.get(url_of(world, "rubric")).content.decode()
    assert client.get(url_of(world, "rubric-edit")).status_code == 200
    assert client.post(url_of(world, "rubric-preview"), {"revision": "7"}).status_code == 409
    spec = for_another(RubricSpec((item("first"),)), RubricSpec(()))
    assert client.post(url_of(world, "rubric-save"), form_of(spec, 0)).status_code == 302
    proposal.refresh_from_db()
    assert proposal.points == 2


def test_pages_ask_no_more_for_a_class_than_for_five(world, proposal, stored, saved, browser):
    client = browser(world.instructor)

    def counts() -> list[int]:
        change = RubricChange.objects.latest("pk")
        found = []
        for name, more in (
            ("rubric", ()),
            ("rubric-edit", ()),
            ("rubric-change", (change.pk,)),
            ("rubric-comments", ()),
        ):
            with CaptureQueriesContext(connection) as asked:
                assert client.get(url_of(world, name, *more)).status_code == 200
            found.append(len(asked))
        with CaptureQueriesContext(connection) as asked:
            assert client.post(url_of(world, "rubric-preview"), form(stored(), also="1")).status_code == 200
        return [*found, len(asked)]

    def grow(count: int, points: int) -> None:
        for _ in range(count):
            reviewed(summary(proposal, person(world.offering)), world.ta, 1, 4)
        saved(change_item(stored(), 0, points=Decimal(points), levels=levels(k2=points, k1=points, k0=0)), reapply=True)

    grow(3, 4)
    few = counts()
    grow(20, 6)
    assert counts() == few
