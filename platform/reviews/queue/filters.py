"""What the queue shows, as the address says it: `?show=flagged`, `?q=1204`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict

from reviews.queue.standings import Standing

SHOWS = {
    "all": "All",
    "ungraded": "Ungraded",
    "mine": "Mine",
    "graded": "Graded",
    "flagged": "Flagged",
}


@dataclass(frozen=True)
class QueueFilter:
    """One of `SHOWS`, and a receipt number to look for."""

    show: str = "all"
    q: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> QueueFilter:
        """What the address asks for; anything unknown is everything."""
        show = query.get("show", "all")
        return cls(show=show if show in SHOWS else "all", q=query.get("q", "").strip()[:20])

    @property
    def query(self) -> str:
        """As it stands in an address, question mark and all; empty for everything."""
        return f"?{urlencode({'show': self.show})}" if self.show != "all" else ""

    @property
    def receipt(self) -> int | None:
        """The number that is looked for, with or without its #."""
        digits = self.q.removeprefix("#")
        return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) < 18 else None

    @property
    def claims(self) -> bool:
        """Whether going on means to claim what is not graded, rather than to walk through what is."""
        return self.show in {"all", "ungraded"}

    def takes(self, row: Standing) -> bool:
        """Whether a submission is shown."""
        if self.show == "ungraded":
            return not row.is_graded
        if self.show == "mine":
            return row.state in {"mine", "held"}
        if self.show == "graded":
            return row.is_graded
        return row.flagged if self.show == "flagged" else True
