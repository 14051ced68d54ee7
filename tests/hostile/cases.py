"""The submissions as cases: what each expects stands in its header, and what is sent is made of its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import notebook_of

HERE = Path(__file__).parent
SUBMISSIONS = HERE / "submissions"
PLAIN = SUBMISSIONS / "honest" / "plain.py"
POINTS = {"adds": 2.0, "weighs": 2.0, "weighs_what_cancels": 2.0, "follows": 4.0}
FULL = sum(POINTS.values())
HEADER = re.compile(r"#\s*(threat|honest|verdict|check|message|output|score|form):\s*(.+)")
FORMS = ("after", "alone", "built")


@dataclass(frozen=True)
class Case:
    """One submission. `message` and `output` are patterns for the check that is attacked, `score` is of the whole report."""

    name: str
    threats: tuple[str, ...]
    verdicts: tuple[str, ...]
    checks: tuple[str, ...]
    message: str
    output: str
    score: float
    form: str
    text: str

    def file(self, lab: Path, places: dict[str, str]) -> tuple[str, bytes]:
        """Name and bytes of what is sent; `@NAME@` in the text becomes `places["NAME"]`."""
        text = re.sub(r"@([A-Z]+)@", lambda found: places[found[1]], self.text)
        if self.form == "built":
            made: dict[str, Any] = {}
            exec(compile(text, self.name, "exec"), made)  # our own code, which only writes a file's bytes
            name, data = made["build"](PLAIN.read_text(), (lab / "notebook.ipynb").read_bytes())
            return name, data
        if self.form == "alone":
            return "work.py", text.encode()
        return "work.ipynb", notebook_of(PLAIN.read_text(), text)


def load_cases() -> list[Case]:
    """All of them: the honest ones, then by the number of their threat."""
    paths = [*sorted(SUBMISSIONS.glob("honest/*.py")), *sorted(SUBMISSIONS.glob("*.py"))]
    return [_load(path) for path in paths]


def _load(path: Path) -> Case:
    text = path.read_text(encoding="utf-8")
    found = dict(_header(text))
    honest = "honest" in found
    verdicts = ("passed",) if honest else tuple(word.strip() for word in found["verdict"].split("|"))
    checks = tuple(word.strip() for word in found.get("check", "adds").split("|"))
    lost = 0.0 if "passed" in verdicts else FULL if verdicts == ("rejected",) else POINTS[checks[0]]
    form = found.get("form", "after")
    if form not in FORMS:
        raise ValueError(f"{path.name}: its form is one of {FORMS}")
    return Case(
        name=f"honest/{path.stem}" if honest else path.stem,
        threats=tuple(found.get("threat", "").replace(",", " ").split()),
        verdicts=verdicts,
        checks=checks,
        message=found.get("message", ""),
        output=found.get("output", ""),
        score=float(found.get("score", FULL - lost)),
        form=form,
        text=text,
    )


def _header(text: str) -> list[tuple[str, str]]:
    """The `# key: value` lines at the top."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if match := HEADER.fullmatch(line.strip()):
            lines.append((match[1], match[2].strip()))
    return lines
