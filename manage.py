#!/usr/bin/env python
"""Django's command line. Puts the source root `platform/` and the project root (for `grader`) on the path."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> None:
    """Run one management command."""
    sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - the path must be set first

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
