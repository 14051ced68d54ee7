"""Where this machine's C compiler is: one answer for everything here that writes C.

Idea      What is built while a program runs is built by the compiler that the machine's owner chose, or by the usual one.
Equation  $CC, or else the first of cc, gcc, clang on the path.
Paper     IEEE Std 1003.1-2017 (POSIX), utilities `make` ($CC) and `c99`.
Cost      A look through the folders of the path.
"""

from __future__ import annotations

import os
import shutil

USUAL = ("cc", "gcc", "clang")


def compiler_names() -> tuple[str, ...]:
    """Which names are looked for, the first that is there wins."""
    chosen = os.environ.get("CC")
    return (chosen,) if chosen else USUAL


def find_compiler() -> str | None:
    """The compiler's path; None where there is none."""
    return next((path for name in compiler_names() if (path := shutil.which(name))), None)
