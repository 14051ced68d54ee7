"""Source as a page: Python in colours, each line with a number that can be linked, each import of ours a link."""

from __future__ import annotations

import re
from functools import lru_cache

from django.utils.safestring import SafeString, mark_safe

from web.colours import coloured
from web.syllabus.library import NAME, files, packages

# the classes for which components.css has a colour; all other spans would only make a page long
COLOURED = frozenset({
    *("k", "kn", "kd", "ow", "kc", "kt", "s", "s1", "s2", "sd", "sa", "sb", "se", "si", "sr"),
    *("mi", "mf", "mb", "mo", "mh", "nf", "nc", "nd", "nn", "fm", "c", "c1", "cm", "ch"),
})  # fmt: skip
_SPAN = re.compile(r'<span class="(\w+)">([^<]*)</span>')
_IMPORT = re.compile(rf'<span class="nn">({NAME}[\w.]*)</span>')


@lru_cache(maxsize=64)
def render_source(text: str, *, after: int, prefix: str, python: bool = True) -> SafeString:
    """The lines of a module below line `after`, by their numbers in the file. `prefix` is what the address of a source page begins with."""
    html = coloured(text, "python" if python else "c")
    lines = enumerate(html.rstrip("\n").split("\n"), 1)
    shown = [(number, line) for number, line in lines if number > after]
    while shown and not shown[0][1]:
        del shown[0]
    return mark_safe("".join(_line(number, line, prefix) for number, line in shown))  # noqa: S308 - `coloured` escaped it; names of modules are letters and dots


def _line(number: int, html: str, prefix: str) -> str:
    plain = _SPAN.sub(lambda found: found[0] if found[1] in COLOURED else found[2], html)
    code = _IMPORT.sub(lambda found: _import(found[1], prefix), plain)
    # the number is a link for the mouse; a keyboard goes by the list of definitions instead of through every line
    return f'<span class="line" id="L{number}"><a href="#L{number}" tabindex="-1">{number}</a>{code}\n</span>'


def _import(module: str, prefix: str) -> str:
    path = module.replace(".", "/")
    there = path if path in packages() else f"{path}.py"
    if there not in packages() and there not in files():
        return f'<span class="nn">{module}</span>'
    return f'<a class="nn" href="{prefix}{there}">{module}</a>'
