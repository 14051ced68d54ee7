"""Comments of classmates are read by staff before the team reads them. Nobody's name goes with them."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from config import clock
from projects.presentations.locks import TalkRefused
from projects.presentations.models import Moderation, Rating


@transaction.atomic
def moderate(*, rating: Rating, decision: Moderation, revision: int, by: User) -> bool:
    """Show a comment to the team, hold it back, or put it off again; False when it is so already.

    Raises `TalkRefused` where its writer changed the rating since it was read: what was decided about is another text.
    """
    fresh = Rating.objects.select_for_update(of=("self",)).get(pk=rating.pk)
    if fresh.revision != revision:
        raise TalkRefused(
            "The student changed this comment while you read it. Nothing was decided; read it as it is now."
        )
    if fresh.moderation == decision:
        return False
    waits = decision == Moderation.WAITING
    fresh.moderation = decision
    fresh.moderated_by, fresh.moderated_at = (None, None) if waits else (by, clock.now())
    fresh.save(update_fields=["moderation", "moderated_by", "moderated_at"])
    return True
