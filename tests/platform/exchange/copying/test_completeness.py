"""No model is forgotten by a copy: what leads to an offering is either copied or left behind for a reason, and so are its fields."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

from accounts.models import User
from courses.models import Offering
from exchange.copying.what import COPIED, LEFT

OURS = [
    config.label for config in apps.get_app_configs() if config.path.startswith(str(settings.BASE_DIR / "platform"))
]
MODELS = [model for label in OURS for model in apps.get_app_config(label).get_models()]


def parents(model) -> set:
    """Models that its foreign keys name, but people: they belong to no offering."""
    fields = [field for field in model._meta.concrete_fields if field.is_relation]
    return {field.related_model for field in fields} - {User}


def belongs(model, seen=frozenset()) -> bool:
    """Whether a chain of foreign keys leads from it to an offering."""
    return any(
        parent is Offering or (parent not in seen and belongs(parent, seen | {parent})) for parent in parents(model)
    )


BELONGING = sorted((model for model in MODELS if belongs(model)), key=lambda model: model._meta.label)
TAKEN = [apps.get_model(label) for label in COPIED]


def test_the_walk_meets_the_house():
    labels = {model._meta.label for model in BELONGING}
    assert {"courses.Enrollment", "reviews.RubricLevel", "grading.GradeReport", "attendance.Attendance"} <= labels
    assert "accounts.User" not in labels
    assert len(BELONGING) > 50


@pytest.mark.parametrize("model", BELONGING, ids=lambda model: model._meta.label)
def test_what_belongs_to_an_offering_is_copied_or_left_for_a_reason(model):
    label = model._meta.label
    assert (label in COPIED) != (label in LEFT), f"say in exchange/copying/what.py what a copy does with {label}"


def test_nothing_is_listed_that_does_not_exist():
    assert set(COPIED) | set(LEFT) <= {model._meta.label for model in BELONGING}


@pytest.mark.parametrize("model", TAKEN, ids=lambda model: model._meta.label)
def test_moments_and_people_of_a_copied_row_begin_anew(model):
    rule = COPIED[model._meta.label]
    for field in model._meta.concrete_fields:
        named = field.name in rule.owners | rule.shifted | set(rule.fresh)
        if isinstance(field, (models.DateField, models.DateTimeField)):
            assert field.name in rule.shifted | set(rule.fresh), (
                f"{model._meta.label}.{field.name} is a date of the old term"
            )
        if field.is_relation and field.related_model is not apps.get_model("assignments.Lab"):
            shared = field.related_model is apps.get_model("readings.Paper")
            assert named or shared, f"{model._meta.label}.{field.name} would point into the old offering"


@pytest.mark.parametrize("model", TAKEN, ids=lambda model: model._meta.label)
def test_what_is_named_is_a_field(model):
    rule, names = COPIED[model._meta.label], {field.name for field in model._meta.concrete_fields}
    assert rule.owners | rule.shifted | set(rule.fresh) <= names
