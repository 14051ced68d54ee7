"""`python -m tests.hostile [--only PATTERN] [--sandbox bubblewrap | docker]`: every case in both sandboxes, as a table.

Exit status 1 when something is not as it should be.
"""

from __future__ import annotations

import sys

from .table import main

if __name__ == "__main__":
    sys.exit(main())
