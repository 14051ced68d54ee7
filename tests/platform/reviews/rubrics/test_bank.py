"""The comment bank: by item, the most used first, kept once, removed and brought back."""

from __future__ import annotations

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from reviews.bank import (
    BankRefused,
    add_comment,
    bank_comments,
    count_use,
    edit_comment,
    remove_comment,
    restore_comment,
)
from reviews.models import RubricItem
from reviews.rubrics.models import BankComment
from reviews.rubrics.spec import RubricSpec

pytestmark = pytest.mark.django_db


@pytest.fixture
def idea(proposal):
    return RubricItem.objects.get(task_id="idea")


def url_of(world, name, *more) -> str:
    return reverse(name, args=[world.offering.slug, "proposal", *more])


def test_comments_come_by_item_the_most_used_first_in_one_query(world, proposal, idea, django_assert_num_queries):
    for text in ("Say why.", "Say how.", "Say for whom."):
        add_comment(item=idea, text=text, by=world.ta.user)
    plan = RubricItem.objects.get(task_id="plan")
    add_comment(item=plan, text="By when?", by=world.ta.user)
    assert count_use(item_id=idea.pk, text=" Say how. ") is True
    assert count_use(item_id=plan.pk, text="Say how.") is False
    with django_assert_num_queries(1):
        found = bank_comments(proposal)
    assert found == {idea.pk: ("Say how.", "Say why.", "Say for whom."), plan.pk: ("By when?",)}


def test_a_comment_is_kept_once_and_comes_back_when_it_is_added_again(world, proposal, idea):
    first = add_comment(item=idea, text="Say why.", by=world.ta.user)
    assert add_comment(item=idea, text=" Say why.\r\n", by=world.instructor.user) == first
    assert remove_comment(comment=first, by=world.ta.user) is True
    assert remove_comment(comment=first, by=world.ta.user) is False
    assert (bank_comments(proposal), count_use(item_id=idea.pk, text="Say why.")) == ({}, False)
    add_comment(item=idea, text="Say why.", by=world.ta.user)
    assert bank_comments(proposal) == {idea.pk: ("Say why.",)}
    assert restore_comment(comment=first, by=world.ta.user) is False


@pytest.mark.parametrize("text", ["", "  \n", "x" * 1001, "a\x00b"])
def test_what_is_no_comment_is_refused_and_comes_back(world, proposal, idea, browser, text):
    with pytest.raises(BankRefused):
        add_comment(item=idea, text=text, by=world.ta.user)
    response = browser(world.ta).post(url_of(world, "bank-add"), {"item": idea.pk, "text": text})
    assert response.status_code == 422
    assert response.context["page"].typed == text
    assert not BankComment.objects.exists()


def test_the_bank_of_an_item_ends_somewhere(world, idea, monkeypatch):
    from reviews import bank

    monkeypatch.setattr(bank, "MOST", 2)
    for text in "ab":
        add_comment(item=idea, text=text, by=world.ta.user)
    with pytest.raises(BankRefused, match="Remove one that nobody uses"):
        add_comment(item=idea, text="c", by=world.ta.user)


def test_other_words_and_never_twice_the_same(world, idea, browser):
    first, second = (add_comment(item=idea, text=text, by=world.ta.user) for text in ("One.", "Two."))
    edit_comment(comment=first, text="Once.", by=world.ta.user)
    response = browser(world.ta).post(url_of(world, "bank-edit", second.pk), {"text": "Once."})
    assert (response.status_code, "this very comment already" in response.content.decode()) == (422, True)
    assert sorted(BankComment.objects.values_list("text", flat=True)) == ["Once.", "Two."]


def test_an_item_that_was_retired_offers_no_comments(world, proposal, idea, stored, saved):
    add_comment(item=idea, text="Say why.", by=world.ta.user)
    whole = stored()
    saved(RubricSpec(whole.items[1:]))
    assert bank_comments(proposal) == {}
    saved(whole)
    assert bank_comments(proposal) == {idea.pk: ("Say why.",)}


def test_the_form_leads_back_to_its_own_page_and_to_no_other_site(world, idea, browser):
    client, url = browser(world.ta), url_of(world, "bank-add")
    for target, where in (
        ("/o/somewhere/", "/o/somewhere/"),
        ("https://evil.example/", url_of(world, "rubric-comments")),
        ("//evil.example/", url_of(world, "rubric-comments")),
        ("", url_of(world, "rubric-comments")),
    ):
        assert client.post(url, {"item": idea.pk, "text": "Say why.", "next": target}).url == where


def test_a_script_gets_json(world, idea, browser):
    client, url = browser(world.ta), url_of(world, "bank-add")
    made = client.post(url, {"item": idea.pk, "text": "Say why."}, headers={"accept": "application/json"})
    assert (made.status_code, made.json()["text"]) == (201, "Say why.")
    refused = client.post(url, {"item": idea.pk, "text": " "}, headers={"accept": "application/json"})
    assert (refused.status_code, "empty one helps nobody" in refused.json()["error"]) == (422, True)


@pytest.mark.parametrize("item", ["", "x", "0", "9" * 30, "²"])
def test_an_item_that_is_none_is_not_found(world, idea, browser, item):
    assert browser(world.ta).post(url_of(world, "bank-add"), {"item": item, "text": "Say why."}).status_code == 404


def test_the_log_keeps_who_changed_the_bank(world, idea, browser):
    client = browser(world.ta)
    client.post(url_of(world, "bank-add"), {"item": idea.pk, "text": "Say why."})
    pk = BankComment.objects.get().pk
    client.post(url_of(world, "bank-edit", pk), {"text": "Say for whom."})
    client.post(url_of(world, "bank-remove", pk))
    assert "Bring back" in client.post(url_of(world, "bank-remove", pk), follow=True).content.decode()
    client.post(url_of(world, "bank-restore", pk))
    events = AuditEvent.objects.filter(subject_type="BankComment").order_by("pk")
    assert [(event.actor, event.before, event.after) for event in events] == [
        (world.ta.user, "", "Say why."),
        (world.ta.user, "Say why.", "Say for whom."),
        (world.ta.user, "Say for whom.", ""),
        (world.ta.user, "", "Say for whom."),
    ]


def test_what_graders_type_is_text(world, idea, browser):
    add_comment(item=idea, text="<script>alert(1)</script>", by=world.ta.user)
    page = browser(world.ta).get(url_of(world, "rubric-comments")).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
