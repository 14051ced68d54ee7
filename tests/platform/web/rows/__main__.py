"""Who may open which URL, as a table: `python -m tests.platform.web.rows`. The tests knock at every cell of it."""

# ruff: noqa: T201 - a table is printed

from __future__ import annotations

import os

import django


def main() -> None:
    """One line a URL, one column a person; what is not allowed is answered as if it were not there."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("GRADLAB_DEMO", "1")
    django.setup()
    from tests.platform.web.matrix.test_access import MATRIX
    from tests.platform.web.rows import ROLES

    print("| URL | method |", " | ".join(role.replace("_", " ") for role in ROLES), "|")
    print("|---|---|" + ":-:|" * len(ROLES))
    for name, row in sorted(MATRIX.items()):
        print(f"| {name} | {row.method} |", " | ".join("yes" if role in row.allowed else "" for role in ROLES), "|")


if __name__ == "__main__":
    main()
