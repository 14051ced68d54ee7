"""Rows of the grading scheme, of freezing, of statistics and of students at risk: staff look, instructors act."""

from __future__ import annotations

from gradebook.freezing.services import freeze
from gradebook.models import AtRiskRules, Component, GradePolicy, LetterCutoff, PolicyChange, Snapshot
from gradebook.policies.spec import spec_of
from gradebook.policies.typed import act_on, from_spec
from gradebook.presets import weights
from gradebook.services import create_scheme, set_weights
from tests.platform.web.rows import STAFF, Row

MODELS = (AtRiskRules, Component, LetterCutoff, GradePolicy, PolicyChange, Snapshot)
INSTRUCTOR = {"instructor"}


def make(world, things):
    create_scheme(offering=world.offering, weights=weights("A"))
    set_weights(offering=world.offering, weights=weights("B"), by=world.instructor.user)
    made = freeze(offering=world.offering, by=world.instructor.user, note="final in spite of that")
    return {"scheme-change": world.offering.policy_changes.get(), "snapshot": made}


def offering(things):
    return [things.offering.slug]


def one(name):
    return lambda things: [things.offering.slug, things.more[name].pk]


def scheme(things):
    typed = act_on(from_spec(spec_of(things.offering), 1), "preset:A")
    data = {}
    for name, value in typed.fields():
        data.setdefault(name, []).append(value)
    return data


def saved(things):
    return scheme(things) | {"reason": "because", "seen": ""}


def why(_):
    return {"note": "because"}


def seen(_):
    return {"seen": ""}


ROWS = {
    "grading": Row(STAFF, offering),
    "grading-edit": Row(INSTRUCTOR, offering),
    "grading-draft": Row(INSTRUCTOR, offering, "post", scheme, 200, frozenset({"act", "labs-extra", "show_letters"})),
    "grading-preview": Row(INSTRUCTOR, offering, "post", scheme, 200, frozenset({"labs-extra", "show_letters"})),
    "grading-save": Row(INSTRUCTOR, offering, "post", saved, 302, frozenset({"labs-extra", "show_letters"})),
    "grading-change": Row(STAFF, one("scheme-change")),
    "grading-try-revert": Row(INSTRUCTOR, one("scheme-change")),
    "grading-revert": Row(INSTRUCTOR, one("scheme-change"), "post", seen, 302),
    "freezing": Row(STAFF, offering),
    "freeze": Row(INSTRUCTOR, offering, "post", why, 422),
    "snapshot-keep": Row(INSTRUCTOR, offering, "post", why, 302),
    "snapshot": Row(STAFF, one("snapshot")),
    "snapshot-file": Row(STAFF, one("snapshot")),
    "snapshot-lift": Row(INSTRUCTOR, one("snapshot"), "post", why, 302),
    "statistics": Row(STAFF, offering),
    "at-risk": Row(STAFF, offering),
    "at-risk-file": Row(STAFF, offering),
    "at-risk-rules": Row(INSTRUCTOR, offering, "post", lambda _: {"score_below": "70", "idle_days": "7"}, 302),
}
