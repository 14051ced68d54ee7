"""The comment bank: what graders say again and again about an item, the most used first."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from reviews.models import RubricItem
from reviews.rubrics.models import BankComment

LONGEST, MOST = 1000, 50


class BankRefused(Exception):  # noqa: N818 - an answer to a grader, not a fault
    """A comment that cannot be kept; the text says why."""


def bank_comments(assignment: Assignment) -> dict[int, tuple[str, ...]]:
    """The comments of each item that is marked now, by its id, the most used first. One query."""
    found: dict[int, tuple[str, ...]] = {}
    for item, text in BankComment.objects.at(assignment).offered().values_list("item_id", "text"):
        found[item] = (*found.get(item, ()), text)
    return found


def count_use(*, item_id: int, text: str) -> bool:
    """Count that a grader inserted this comment; False when the bank does not have it. One query."""
    rows = BankComment.objects.offered().filter(item_id=item_id, text=text.strip())
    return bool(rows.update(used=F("used") + 1))


@transaction.atomic
def add_comment(*, item: RubricItem, text: str, by: User) -> BankComment:
    """Keep a comment for an item. One that is there is returned; one that was removed is offered again."""
    words = _checked(text)
    # two graders who keep the same words at once keep them once
    RubricItem.objects.select_for_update().get(pk=item.pk)
    rows = BankComment.objects.filter(item=item)
    known = rows.filter(text=words).first()
    if known is not None:
        restore_comment(comment=known, by=by)
        return known
    if rows.offered().count() >= MOST:
        raise BankRefused(f"This item has {MOST} comments. Remove one that nobody uses, then add yours.")
    comment = BankComment.objects.create(item=item, text=words, created_by=by, created_at=clock.now())
    _record(comment, by, "added a comment to the bank", after=words)
    return comment


@transaction.atomic
def edit_comment(*, comment: BankComment, text: str, by: User) -> BankComment:
    """Say it in other words. Marks that it was inserted into keep the old ones."""
    words, before = _checked(text), comment.text
    if words == before:
        return comment
    if BankComment.objects.offered().filter(item=comment.item_id, text=words).exists():
        raise BankRefused("The item has this very comment already.")
    comment.text = words
    comment.save(update_fields=["text"])
    _record(comment, by, "edited a comment of the bank", before=before, after=words)
    return comment


@transaction.atomic
def remove_comment(*, comment: BankComment, by: User) -> bool:
    """Offer it no more; False when somebody removed it already."""
    if not BankComment.objects.offered().filter(pk=comment.pk).update(archived_at=clock.now()):
        return False
    _record(comment, by, "removed a comment from the bank", before=comment.text)
    return True


@transaction.atomic
def restore_comment(*, comment: BankComment, by: User) -> bool:
    """Offer a removed one again; False when it is offered already."""
    rows = BankComment.objects.filter(pk=comment.pk, archived_at__isnull=False)
    if not rows.update(archived_at=None):
        return False
    _record(comment, by, "brought a comment of the bank back", after=comment.text)
    return True


def _checked(text: str) -> str:
    words = text.replace("\r\n", "\n").strip()
    if not words:
        raise BankRefused("Write the comment first; an empty one helps nobody.")
    if len(words) > LONGEST:
        raise BankRefused(f"Please keep a comment below {LONGEST:,} characters; this one has {len(words):,}.")
    if "\x00" in words:
        raise BankRefused("The comment holds a character that cannot be stored. Type it again.")
    return words


def _record(comment: BankComment, by: User, action: str, *, before: str = "", after: str = "") -> None:
    offering_id = comment.item.rubric.assignment.offering_id
    record(actor=by, action=action, subject=comment, offering_id=offering_id, before=before, after=after)
