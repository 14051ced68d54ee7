"""`python -m tests.chaos [--only PATTERN] [--database sqlite | postgresql] [--sandbox bubblewrap | docker]`: the table.

Exit status 1 when something is not as it should be.
"""

from __future__ import annotations

import sys

from .table import main

if __name__ == "__main__":
    sys.exit(main())
