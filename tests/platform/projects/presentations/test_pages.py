"""The pages of the hour and their forms, as people use them."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from projects.models import Rating, StaffRating, Talk
from projects.presentations.models import Criterion, Moderation
from tests.factories import SessionFactory, closed, opened, person, rated, staff_rated, talk, team

pytestmark = pytest.mark.django_db


def url(about, name: str, *rest) -> str:
    return reverse(name, args=[about.offering.slug, *rest])


def text_of(response) -> str:
    return " ".join(response.content.decode().split())


def post(browser, who, name: str, talk: Talk, **data):
    return browser(who).post(url(talk, name, talk.pk), data, follow=True)


MARKS = dict.fromkeys(Criterion.values, "4")


def test_students_read_the_order_before(world, hour, browser):
    page = text_of(browser(hour.noor).get(url(hour.talk, "talks")))
    assert page.index('data-row="Fast Attention"') < page.index('data-row="Lean Caches"')
    assert "Your team's talk: <strong>Lean Caches" in page
    assert "Plan talks" not in page
    assert "Save the order" not in page


def test_talks_are_in_the_navigation_once_there_are_any(world, hour, browser):
    here, elsewhere = (reverse("labs", args=[lab.offering.slug]) for lab in (world.lab, world.other_lab))
    assert url(hour.talk, "talks") in text_of(browser(world.student).get(here))
    assert reverse("talks", args=[world.other_lab.offering.slug]) not in text_of(
        browser(world.other_student).get(elsewhere)
    )
    assert reverse("talks", args=[world.other_lab.offering.slug]) in text_of(
        browser(world.other_instructor).get(elsewhere)
    )


def test_the_open_talk_is_one_tap_away_from_every_page(world, hour, browser):
    labs, form = url(hour.talk, "labs"), url(hour.talk, "talk-rate", hour.talk.pk)
    assert form not in text_of(browser(hour.noor).get(labs))
    opened(hour.talk, world.ta)
    assert f'<a class="open-talk" href="{form}"' in text_of(browser(hour.noor).get(labs))
    assert "are being rated by the class" in text_of(browser(world.student).get(labs))
    rated(hour.talk, hour.noor)
    assert "you have rated" in text_of(browser(hour.noor).get(labs))
    assert "open-talk" not in text_of(browser(hour.noor).get(form))
    assert browser(hour.noor).get(url(hour.talk, "talk-now")).url == form
    closed(hour.talk, world.ta)
    assert "open-talk" not in text_of(browser(hour.noor).get(labs))
    assert browser(hour.noor).get(url(hour.talk, "talk-now")).url == url(hour.talk, "talks")


def test_a_classmate_rates_and_changes_it(world, hour, browser):
    opened(hour.talk, world.ta)
    page = text_of(post(browser, hour.noor, "talk-rate", hour.talk, score="4", comment="Good graphs.", revision="0"))
    assert "Saved. You can change it until the ratings are closed." in page
    assert 'value="4" id="rating-score_3" required checked' in page.replace('checked id="rating-score_3" required', "")
    post(browser, hour.noor, "talk-rate", hour.talk, score="5", comment="Good graphs.", revision="1")
    assert Rating.objects.get().score == 5


def test_what_cannot_be_saved_comes_back_as_it_was_typed(world, hour, browser):
    opened(hour.talk, world.ta)
    response = post(browser, hour.noor, "talk-rate", hour.talk, comment="No number yet", revision="0")
    assert response.status_code == 422
    assert "Please tap one of the numbers first." in text_of(response)
    assert "No number yet" in text_of(response)
    closed(hour.talk, world.ta)
    response = post(browser, hour.noor, "talk-rate", hour.talk, score="2", comment="Too late", revision="0")
    assert response.status_code == 422
    assert "Ratings of this talk are closed." in text_of(response)
    assert "Too late" in text_of(response)
    assert not Rating.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"score": "6"},
        {"score": "0"},
        {"score": "four"},
        {"score": "4", "comment": "x" * 1001},
        {"score": "4", "revision": "-1"},
        {"score": "4", "revision": "many"},
        {"score": "4", "revision": "9" * 40},
        {"score": ["1", "5", "9"]},
        {"score": "4\x00"},
    ],
)
def test_nonsense_is_refused_with_a_sentence(world, hour, browser, bad):
    opened(hour.talk, world.ta)
    response = post(browser, hour.noor, "talk-rate", hour.talk, **bad)
    assert response.status_code == 422 or Rating.objects.get().score == 4
    assert Rating.objects.filter(score__gt=5).count() == 0


def test_a_second_window_is_shown_what_the_first_one_saved(world, hour, browser):
    opened(hour.talk, world.ta)
    post(browser, hour.noor, "talk-rate", hour.talk, score="4", comment="From here", revision="0")
    response = post(browser, hour.noor, "talk-rate", hour.talk, score="1", comment="From there", revision="0")
    assert response.status_code == 422
    page = text_of(response)
    assert "4, “From here”" in page
    assert "From there</textarea>" in page
    assert '<input type="hidden" name="revision" value="1"' in page
    assert (
        post(browser, hour.noor, "talk-rate", hour.talk, score="1", comment="From there", revision="1").status_code
        == 200
    )
    assert Rating.objects.get().comment == "From there"


def test_a_script_gets_little_over_a_bad_network(world, hour, browser):
    opened(hour.talk, world.ta)
    send = lambda data: browser(hour.noor).post(  # noqa: E731 - one line, three times
        url(hour.talk, "talk-rate", hour.talk.pk), data, headers={"accept": "application/json"}
    )
    assert json.loads(send({"score": "4", "comment": "", "revision": "0"}).content) == {"revision": 1}
    assert json.loads(send({"score": "4", "comment": "", "revision": "0"}).content) == {"revision": 1}  # a double tap
    late = send({"score": "2", "comment": "", "revision": "0"})
    assert late.status_code == 422
    assert json.loads(late.content)["revision"] == 1
    assert "4, without a comment" in json.loads(late.content)["detail"]
    assert json.loads(send({"score": "2", "comment": "", "revision": "9" * 5000}).content)["revision"] == 0
    closed(hour.talk, world.ta)
    answer = json.loads(send({"score": "5", "comment": "", "revision": "1"}).content)
    assert answer == {"revision": 1, "detail": "Ratings of this talk are closed. What you saved before that counts."}


def test_the_own_team_is_told_why_there_is_no_form(world, hour, browser):
    opened(hour.talk, world.ta)
    page = text_of(browser(world.student).get(url(hour.talk, "talk-rate", hour.talk.pk)))
    assert "This is your own team's talk" in page.replace("&#x27;", "'")
    assert "data-rate>" not in page


def test_staff_mark_five_criteria_on_the_same_page(world, hour, browser):
    opened(hour.talk, world.ta)
    response = post(
        browser, world.ta, "talk-rate", hour.talk, **(MARKS | {"depth": ""}), comment="So far", revision="0"
    )
    assert (response.status_code, "Please give a mark for depth." in text_of(response)) == (422, True)
    assert "So far" in text_of(response)
    post(browser, world.ta, "talk-rate", hour.talk, **MARKS, comment="All", revision="0")
    assert StaffRating.objects.get().marks.count() == 5
    assert not Rating.objects.exists()


def test_staff_open_and_close_and_watch(world, hour, browser):
    page = text_of(post(browser, world.ta, "talk-open", hour.talk))
    assert "ratings are open" in page
    assert "0</strong> of 6 classmates have rated" in page
    rated(hour.talk, hour.noor, 1, "A secret opinion")
    part = text_of(browser(world.ta).get(url(hour.talk, "talk-turnout", hour.talk.pk)))
    assert "1</strong> of 6" in part
    assert "Noor Haddad" not in part
    assert "Linh Nguyen" in part
    assert "A secret opinion" not in part
    room = text_of(browser(world.ta).get(url(hour.talk, "talk-turnout", hour.talk.pk) + "?only=count"))
    assert "1 of 6 have rated" in room
    assert "Linh Nguyen" not in room
    assert "Close Fast Attention and open this one" in text_of(
        browser(world.ta).get(url(hour.talk, "talk", hour.later.pk))
    )
    assert "Close that talk first" in text_of(post(browser, world.ta, "talk-open", hour.later))
    assert "ratings are closed" in text_of(post(browser, world.ta, "talk-close", hour.talk))


def test_the_turnout_asks_again_only_while_the_talk_is_open(world, hour, browser):
    opened(hour.talk, world.ta)
    assert "every 3s" in text_of(browser(world.ta).get(url(hour.talk, "talk-turnout", hour.talk.pk)))
    closed(hour.talk, world.ta)
    assert "every 3s" not in text_of(browser(world.ta).get(url(hour.talk, "talk-turnout", hour.talk.pk)))


def test_the_hour_is_planned_from_the_page(world, hour, browser):
    new = team(world.offering, person(world.offering), name="Third Team")
    next_day = SessionFactory(offering=world.offering, topic="More presentations")
    staff = browser(world.ta)
    nothing = staff.post(url(hour.talk, "talks-fill"), {})
    assert (nothing.status_code, "choose the sessions" in text_of(nothing)) == (422, True)
    assert "1 talk is planned" in text_of(
        staff.post(url(hour.talk, "talks-fill"), {"sessions": [next_day.pk]}, follow=True)
    )
    talk = new.talks.get()
    order = [f"{hour.session.pk}:{hour.later.pk}", f"{hour.session.pk}:{hour.talk.pk}", f"{next_day.pk}:{talk.pk}"]
    assert "The order is saved." in text_of(staff.post(url(talk, "talks-order"), {"order": order}, follow=True))
    up = {"order": order, "move": f"{talk.pk}:up"}
    assert "The order is saved." in text_of(staff.post(url(talk, "talks-order"), up, follow=True))
    talk.refresh_from_db()
    assert (talk.session_id, talk.position) == (hour.session.pk, 3)
    gone = staff.post(url(talk, "talks-order"), {"order": ["x"]}, follow=True)
    assert "changed since you opened it" in text_of(gone)
    assert "off the schedule" in text_of(staff.post(url(talk, "talk-remove", talk.pk), follow=True))


def test_rules_come_back_as_they_were_typed(world, hour, browser):
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor)
    data = {"talk_minutes": "8", "question_minutes": "2", "first_talk": "16:00", "staff_share": "40", "scale": "7"}
    refused = browser(world.instructor).post(url(hour.talk, "talks-rules"), data)
    assert (refused.status_code, "two scales cannot be compared" in text_of(refused)) == (422, True)
    assert 'name="talk_minutes" value="8"' in text_of(refused)
    saved = browser(world.instructor).post(url(hour.talk, "talks-rules"), data | {"scale": "5"}, follow=True)
    assert "The rules are saved." in text_of(saved)
    assert "40 % of the score come from course staff" in text_of(saved)
    bad = browser(world.instructor).post(
        url(hour.talk, "talks-rules"), data | {"staff_share": "101", "first_talk": "noon"}
    )
    assert "from 0 to 100" in text_of(bad)
    assert "such as 15:30" in text_of(bad)


def test_comments_are_decided_one_after_the_other(world, hour, browser):
    opened(hour.talk, world.ta)
    first, second = rated(hour.talk, hour.noor, 4, "Nice."), rated(hour.talk, hour.linh, 1, "Rude.")
    staff = browser(world.ta)
    page = text_of(staff.get(url(hour.talk, "talks-comments")))
    assert page.count('aria-keyshortcuts="s"') == page.count('aria-keyshortcuts="h"') == 1
    assert "Noor" not in page
    decide = lambda rating, decision, revision=1: staff.post(  # noqa: E731 - one line, often
        url(hour.talk, "talks-comment", rating.pk), {"decision": decision, "revision": revision}, follow=True
    )
    decide(first, "shown")
    decide(second, "held")
    assert [rating.moderation for rating in Rating.objects.order_by("pk")] == [Moderation.SHOWN, Moderation.HELD]
    assert "No comment waits." in text_of(staff.get(url(hour.talk, "talks-comments")))
    everything = text_of(staff.get(url(hour.talk, "talk-comments", hour.talk.pk) + "?show=all"))
    assert "Shown to the team" in everything
    assert "Held back" in everything
    assert "That is no decision" in text_of(decide(first, "praised"))
    assert "changed this comment" in text_of(decide(first, "held", 7))
    without = rated(hour.talk, hour.listeners[0], 3)
    assert (
        staff.post(url(hour.talk, "talks-comment", without.pk), {"decision": "shown", "revision": 1}).status_code == 404
    )


def test_from_the_release_to_the_team_and_back(world, hour, browser):
    opened(hour.talk, world.ta)
    for rater in (hour.noor, hour.linh, hour.listeners[0]):
        rated(hour.talk, rater, 4, "Held or shown?")
    staff_rated(hour.talk, world.ta)
    closed(hour.talk, world.ta)
    read = url(hour.talk, "talk-feedback", hour.talk.pk)
    assert browser(world.student).get(read).status_code == 404
    assert "3 comments wait for a decision" in text_of(browser(world.ta).get(read))
    boss = browser(world.instructor)
    assert "Please tick the talks" in text_of(boss.post(url(hour.talk, "talks-release"), {"talk": ["x"]}, follow=True))
    assert "1 score is released" in text_of(
        boss.post(url(hour.talk, "talks-release"), {"talk": [hour.talk.pk]}, follow=True)
    )
    page = text_of(browser(world.student).get(read))
    assert "75 <small>/ 100</small>" in page
    assert "(4 − 1) ÷ (5 − 1) × 100" in page
    assert "Held or shown?" not in page
    assert browser(hour.noor).get(read).status_code == 404
    assert "Read what was said" in text_of(browser(world.student).get(url(hour.talk, "talks")))
    assert "Undo the release" in text_of(boss.get(url(hour.talk, "talk-result", hour.talk.pk)))
    assert "sees no score any more" in text_of(boss.post(url(hour.talk, "talk-take-back", hour.talk.pk), follow=True))
    assert browser(world.student).get(read).status_code == 404


def test_what_was_taken_back_tells_the_team_why(world, hour, browser, settings):
    settings.RELEASE_UNDO_S = 0
    opened(hour.talk, world.ta)
    rated(hour.talk, hour.noor)
    closed(hour.talk, world.ta)
    boss = browser(world.instructor)
    boss.post(url(hour.talk, "talks-release"), {"talk": [hour.talk.pk]})
    back = url(hour.talk, "talk-take-back", hour.talk.pk)
    assert "Please give a reason" in text_of(boss.post(back, {"reason": ""}, follow=True))
    boss.post(back, {"reason": "A mark was <b>wrong</b>."})
    page = text_of(browser(world.student).get(url(hour.talk, "talk-feedback", hour.talk.pk)))
    assert "A mark was &lt;b&gt;wrong&lt;/b&gt;." in page
    assert "/ 100" not in page


def test_the_timer_has_the_whole_session_in_it(world, hour, browser):
    page = text_of(browser(world.student).get(url(hour.talk, "talk-timer", hour.talk.pk)))
    assert 'data-talk-s="720" data-questions-s="180"' in page
    assert (
        f'<li data-pk="{hour.later.pk}" data-team="Lean Caches" data-people="Noor Haddad, Linh Nguyen">'
        in page.replace("Linh Nguyen, Noor Haddad", "Noor Haddad, Linh Nguyen")
    )
    assert "turnout" not in page
    assert "turnout" in text_of(browser(world.ta).get(url(hour.talk, "talk-timer", hour.talk.pk)))
    assert "The last talk of this session" in text_of(
        browser(world.ta).get(url(hour.talk, "talk-timer", hour.later.pk))
    )


def test_results_for_an_offering_without_talks(world, browser):
    assert "No talk was opened yet." in text_of(
        browser(world.ta).get(reverse("talks-results", args=[world.offering.slug]))
    )
    assert "No talks are planned yet." in text_of(
        browser(world.student).get(reverse("talks", args=[world.offering.slug]))
    )


def test_a_number_that_nobody_can_read_moves_nothing(world, hour, browser):
    order = {"order": [f"{hour.session.pk}:{row.pk}" for row in (hour.talk, hour.later)], "move": "9" * 5000 + ":up"}
    assert browser(world.ta).post(url(hour.talk, "talks-order"), order).status_code == 302
    hour.later.refresh_from_db()
    assert hour.later.position == 2


def test_a_speaker_of_two_talks_is_taken_off_one_and_put_back(world, hour, browser):
    practice = talk(hour.team, session=hour.session, position=3, practice=True)
    for each in (practice, hour.talk):
        closed(opened(each, world.ta), world.ta)
    ada = {"enrollment": str(world.student.pk)}
    for act, speaks in (("remove", False), ("add", True)):
        assert post(browser, world.ta, "talk-speakers", hour.talk, act=act, **ada).status_code == 200
        assert hour.talk.speakers.filter(enrollment=world.student).exists() == speaks
    assert practice.speakers.filter(enrollment=world.student).exists()
