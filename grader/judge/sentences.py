"""What a student is told of an answer that is an exception. All of it is text that they chose, and is treated as such."""

from __future__ import annotations

import errno
import re
from typing import Any

from ..contract import Verdict
from ..sandbox.base import Limits

LONGEST = 400
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NETWORK = re.compile(
    r"urlopen error|gaierror|Network is unreachable|name resolution|Max retries exceeded|'pip', '(install|download)'"
)
OFFLINE = " There is no network here; use the packages that the lab provides."


def cleaned(value: Any) -> Any:
    """A message's value with every text in it made storable: no NUL, no half of a surrogate pair."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    return value


def verdict_of(answer: dict[str, Any], limits: Limits, *, refused_processes: bool) -> tuple[Verdict, str]:
    """The verdict and the sentence for an answer that is no value."""
    said = sentence(answer)
    if refused_processes:
        return Verdict.PROCESS_LIMIT, f"Started more than {limits.processes} processes or threads. {said}"
    number = answer.get("errno")
    if isinstance(number, int) and number in NO_ROOM:
        return Verdict.DISK_LIMIT, f"Wrote more than {limits.disk_mb} MB of files. {said}"
    return (Verdict.FAILED if answer.get("type") == "Result" else Verdict.ERROR), said


def sentence(answer: dict[str, Any]) -> str:
    """The student's exception in one line."""
    kind, message, where = (str(answer.get(part, ""))[:LONGEST] for part in ("type", "message", "where"))
    if kind == "Result":
        return f"Your code {message}."
    if is_stub(answer):
        return f"Not written yet: {where} raises NotImplementedError." if where else "Not written yet."
    said = f"{kind}: {message}" if message else kind
    hint = OFFLINE if NETWORK.search(said) else ""
    return (f"{said} at {where}" if where else said) + (f".{hint}" if hint else "")


def is_stub(answer: dict[str, Any]) -> bool:
    """Whether it was the stub of a student version that answered: no mistake of the student's yet."""
    return answer.get("type") == "NotImplementedError" and not answer.get("message")


def witnessed(value: Any) -> dict[str, str]:
    """What the witness says, as far as it is text."""
    pairs = value.items() if isinstance(value, dict) else ()
    return {str(name)[:200]: str(place)[:200] for name, place in pairs}


def exit_words(status: int | None) -> str:
    """How a process ended."""
    if status is None:
        return "closed its connection"
    return f"was ended by signal {status - 128}" if status > 128 else f"exited with status {status}"
