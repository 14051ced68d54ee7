"""Comments that graders of summaries use again and again, so that the demo's bank is not empty."""

from __future__ import annotations

from accounts.models import User
from courses.models import Offering
from reviews.bank import add_comment
from reviews.models import RubricItem
from reviews.rubrics.models import BankComment

COMMENTS = {
    "problem": ("Say what goes wrong today, with a number of the paper.", "This is the solution; what is the problem?"),
    "impact": ("To whom does it matter, and how much?",),
    "ideas": ("One idea is missing.", "Say it in a sentence before the details."),
    "technique": (
        "Which design choice is critical, and why this one?",
        "A list of components; how do they work together?",
    ),
    "assessment": ("What does the evaluation not show?", "Compare with the baseline that the paper uses."),
    "improvement": ("How would you do it?",),
}


def seed_bank(offering: Offering, by: User) -> int:
    """Fill the banks of the readings; returns how many comments were added. A second time adds none."""
    items = RubricItem.objects.filter(rubric__assignment__offering=offering, task_id__in=COMMENTS)
    if BankComment.objects.filter(item__in=items).exists():
        return 0
    made = [add_comment(item=item, text=text, by=by) for item in items for text in COMMENTS[item.task_id]]
    return len(made)
