"""What a worker may ask of the container engine, and nothing beside it.

Whoever may ask an engine for anything is root on its host. A worker needs ten calls, and one of them, creating a container, only with
every wall in place. All rules are lists of what is allowed: a field that a later engine learns is refused until it is named here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RUN, SCOPE = "gradlab.run", "gradlab.engine"  # labels: a run's container; which proxy made it
Fields = dict[str, Any]
Rule = Callable[[Any], bool]


class Refused(Exception):  # noqa: N818 - a decision, not a fault
    """The request is not one that a worker needs; the text says why."""


@dataclass(frozen=True)
class Policy:
    """What differs between installations. `scope` keeps the runs of several installations on one engine apart."""

    images: frozenset[str]
    scope: str = "gradlab"
    gpu: bool = False
    memory_mb: int = 16_384
    processes: int = 1024
    containers: int = 64


# Engines before API 1.40 also took options of a container when it was started, where nothing looks at them.
VERSION = r"(?P<version>/v1\.(?:4\d|[5-9]\d))"
CONTAINER = r"/containers/(?P<container>[0-9a-f]{64})"
ROUTES = {
    "ping": ("GET", re.compile(rf"{VERSION}?/_ping", re.ASCII)),
    "version": ("GET", re.compile(rf"{VERSION}?/version", re.ASCII)),
    "image": ("GET", re.compile(rf"{VERSION}/images/(?P<image>[a-z0-9][\w./:@-]*)/json", re.ASCII)),
    "list": ("GET", re.compile(rf"{VERSION}/containers/json", re.ASCII)),
    "create": ("POST", re.compile(rf"{VERSION}/containers/create", re.ASCII)),
    "inspect": ("GET", re.compile(rf"{VERSION}{CONTAINER}/json", re.ASCII)),
    "stats": ("GET", re.compile(rf"{VERSION}{CONTAINER}/stats", re.ASCII)),
    "attach": ("POST", re.compile(rf"{VERSION}{CONTAINER}/attach", re.ASCII)),
    "start": ("POST", re.compile(rf"{VERSION}{CONTAINER}/start", re.ASCII)),
    "remove": ("DELETE", re.compile(rf"{VERSION}{CONTAINER}", re.ASCII)),
}


@dataclass(frozen=True)
class Call:
    """One permitted call: its name in `ROUTES`, its path without a query, and the container that it is about."""

    name: str
    method: str
    path: str
    version: str
    container: str = ""


def find_call(method: str, path: str, policy: Policy) -> Call:
    """The call that a request makes; raises `Refused` for any that a worker does not need."""
    for name, (allowed, pattern) in ROUTES.items():
        match = pattern.fullmatch(path) if method == allowed else None
        if match is None:
            continue
        found = match.groupdict()
        if "image" in found and found["image"] not in policy.images:
            raise Refused(f"{found['image']} is no image of a runner")
        return Call(name, method, path, found["version"] or "", found.get("container") or "")
    raise Refused("a worker does not need this call")


def check_container(asked: Any, policy: Policy) -> Fields:
    """The body to create a container with, marked as ours; raises `Refused` when a wall is missing or anything unknown is set.

    Only fields that were looked at are in it, so that the engine cannot read the request in another way than we did.
    """
    fields = _check("", asked, _container_rules(policy), {"Image", "User", "Labels", "Cmd", "HostConfig"})
    fields["HostConfig"] = _check("HostConfig.", fields["HostConfig"], _host_rules(policy), WALLS)
    if fields["HostConfig"]["Memory"] != fields["HostConfig"]["MemorySwap"]:
        raise Refused("HostConfig.MemorySwap must equal Memory: a run gets no swap")
    fields["Labels"] = {**fields["Labels"], SCOPE: policy.scope}
    return fields


def _check(where: str, asked: Any, rules: Mapping[str, Rule], needed: set[str]) -> Fields:
    if not isinstance(asked, dict):
        raise Refused(f"{where or 'the body'} must be an object")
    fields = {name: value for name, value in asked.items() if value is not None}
    for name, value in fields.items():
        if name not in rules:
            raise Refused(f"{where}{name} may not be set")
        if not rules[name](value):
            raise Refused(f"{where}{name} may not be {value!r}"[:300])
    if needed - fields.keys():
        raise Refused(f"{where}{min(needed - fields.keys())} must be set")
    return fields


def _is(*allowed: Any) -> Rule:
    """Equal to one of these and of its type: 1 is not True."""
    return lambda value: any(type(value) is type(one) and value == one for one in allowed)


def _number(least: int, most: int) -> Rule:
    return lambda value: type(value) is int and least <= value <= most


def _matches(pattern: str) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _each(rule: Rule) -> Rule:
    return lambda value: isinstance(value, list) and all(map(rule, value))


def _pairs(name: Rule, content: Rule) -> Rule:
    return lambda value: isinstance(value, dict) and all(name(k) and content(v) for k, v in value.items())


def _object(**rules: Rule) -> Rule:
    """An object with these fields alone."""
    return lambda value: isinstance(value, dict) and all(k in rules and rules[k](v) for k, v in value.items())


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _nothing(value: Any) -> bool:
    return not value


def _fields(value: Any) -> bool:
    return isinstance(value, dict)


def _room(value: Any) -> bool:
    """Options of a memory file system: bounded, and without devices and set-user-id files."""
    options = value.split(",") if isinstance(value, str) else []
    known = _matches(r"rw|nosuid|nodev|noexec|exec|size=\d+[kmg]?|nr_inodes=\d+k?|mode=\d+")
    return all(map(known, options)) and {"nosuid", "nodev", "size"} <= {option.partition("=")[0] for option in options}


_labels = _pairs(_matches(r"gradlab\.\w+"), _text)
# Names that mean something to the engine's own helpers (LD_PRELOAD, NVIDIA_…) are not among them: helpers run before the walls stand.
_environment = _matches(
    r"PATH=(?:/usr/local/[\w/-]+:)*/usr/bin:/bin"
    r"|(?:HOME|LANG|TMPDIR|PYTHON[A-Z]+|[A-Z]+_NUM_THREADS|(?:CUDA|CUBLAS|TORCH|PYTORCH|TRITON)_[A-Z0-9_]+)=[^\0]*"
)
_ulimit = _object(Name=_matches(r"[a-z]+"), Soft=_number(0, 1 << 40), Hard=_number(0, 1 << 40))
_gpu = _object(
    Driver=_is("", "nvidia"),
    Count=_number(-1, 64),
    DeviceIDs=lambda value: value is None or _each(_matches(r"\d+|GPU-[0-9a-f-]+"))(value),
    Capabilities=_is([["gpu"]]),
    Options=_nothing,
)
WALLS = {
    *(
        "NetworkMode",
        "ReadonlyRootfs",
        "CapDrop",
        "SecurityOpt",
        "IpcMode",
        "PidsLimit",
        "Memory",
        "MemorySwap",
        "LogConfig",
    ),
}


def _container_rules(policy: Policy) -> dict[str, Rule]:
    return {
        "Image": _is(*policy.images),
        "Cmd": _each(_text),
        "User": _matches(r"[1-9]\d*:[1-9]\d*"),
        "Labels": lambda value: _labels(value) and value.get(RUN) == "1",
        "Env": _each(_environment),
        "Hostname": _matches(r"[a-z0-9-]{1,63}"),
        "WorkingDir": _is("/tmp"),  # noqa: S108 - inside the container, private
        **dict.fromkeys(("Tty", "NetworkDisabled"), _flag),
        **dict.fromkeys(("OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr"), _flag),
        "HostConfig": _fields,
        "NetworkingConfig": _nothing,
    }


def _host_rules(policy: Policy) -> dict[str, Rule]:
    """The walls, then limits that only make a run smaller."""
    memory = _number(6 << 20, policy.memory_mb << 20)
    return {
        "NetworkMode": _is("none"),
        "ReadonlyRootfs": _is(True),  # noqa: FBT003 - the value itself
        "CapDrop": _is(["ALL"]),
        "SecurityOpt": _is(["no-new-privileges"]),
        "IpcMode": _is("private"),
        "PidsLimit": _number(1, policy.processes),
        "Memory": memory,
        "MemorySwap": memory,
        "LogConfig": _object(Type=_is("none"), Config=_nothing),
        "Init": _flag,
        "Ulimits": _each(_ulimit),
        "Tmpfs": _pairs(_is("/tmp", "/dev/shm"), _room),  # noqa: S108 - inside the container, private
        **dict.fromkeys(("NanoCpus", "CpuPeriod", "CpuQuota", "CpuShares"), _number(0, 1 << 40)),
        "CpusetCpus": _matches(r"[\d,-]*"),
        "DeviceRequests": _each(_gpu) if policy.gpu else _nothing,
    }
