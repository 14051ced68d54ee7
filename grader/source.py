"""Reading a student's source as a tree. Nothing is compiled here, and what Python would warn of is the student's to hear, not ours."""

from __future__ import annotations

import ast
import warnings

UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


def parse(source: str, name: str = "<cell>") -> ast.Module:
    """The tree; raises one of `UNPARSABLE` for what cannot be parsed, and so cannot run either."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, name)
