"""What the reading page posts."""

from __future__ import annotations

ITEMS = ("problem", "impact", "ideas", "technique", "assessment", "improvement")


def fields(revision: int = 0, token: str = "", **texts: str) -> dict[str, str]:
    """A post with these texts; of the other items empty ones."""
    cells = {f"cell-{name}": texts.get(name, "") for name in ITEMS}
    return {**cells, "revision": str(revision), "client_token": token}


def whole(**more: str) -> dict[str, str]:
    """A post with a sentence an item."""
    return fields(**{name: f"About the {name}." for name in ITEMS}) | more
