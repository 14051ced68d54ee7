"""Setting from when on staff are told of a student."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from accounts.models import User
from audit.services import record
from courses.models import Offering
from gradebook.at_risk.selectors import rules_in, rules_of
from gradebook.models import AtRiskRules


@transaction.atomic
def set_rules(
    *,
    offering: Offering,
    by: User,
    score_below: Decimal | None,
    missing_in_row: int | None,
    absences_beyond: int | None,
    idle_days: int | None,
    without_team: bool,
) -> bool:
    """Store the rules; None and False turn one off. False when they stood like that already. No score depends on them."""
    values = {
        "score_below": score_below,
        "missing_in_row": missing_in_row,
        "absences_beyond": absences_beyond,
        "idle_days": idle_days,
        "without_team": without_team,
    }
    before = rules_in(rules_of(offering))
    stored, _ = AtRiskRules.objects.update_or_create(offering=offering, defaults=values)
    after = rules_in(stored)
    if before == after:
        return False
    told = ["; ".join(rules.sentences) or "nobody is told" for rules in (before, after)]
    record(
        actor=by,
        action="set the at-risk rules",
        subject=stored,
        offering_id=offering.pk,
        before=told[0],
        after=told[1],
    )
    return True
