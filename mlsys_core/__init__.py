"""The course's reference library: every algorithm that a lab or a lecture names, small enough to read, tested enough to trust.

Each sub-package is one part of the syllabus and stands alone; nothing here knows the platform or the grader.
"""

from __future__ import annotations
