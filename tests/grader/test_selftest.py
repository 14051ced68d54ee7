"""Every wall holds in every real sandbox; and each probe sees its wall fall when it is taken down on purpose."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from grader.cli import main
from grader.sandbox import base, bubblewrap, seccomp, zygote
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.bubblewrap import BubblewrapSandbox
from grader.sandbox.choose import open_sandbox
from grader.selftest import probes, selftest, trials
from grader.selftest.trials import planted, probe
from tests.support import leftover_groups, require

pytestmark = pytest.mark.sandbox
# (file below grader/inside, what stands there, what stands there once the wall is down)
NO_UID = ("walls.py", "if uid is not None:", "if False:")
NO_FILTER = ("walls.py", 'if walls["seccomp"]:', "if False:")
NO_PID_NAMESPACE = ("zygote.py", "kernel.CLONE_NEWPID | ", "")
NO_NETWORK_NAMESPACE = ("zygote.py", " | kernel.CLONE_NEWNET", "")
# this checkout may itself lie in /tmp, where a run's own folder would hide it
NO_SCRATCH = ("zygote.py", "for target, options in mounts:", "for target, options in ():")
OPEN_DESCRIPTORS = ("zygote.py", "os.closerange(3, 1 << 10)", "pass")


@dataclass(frozen=True)
class Down:
    """How a wall is taken down: edits inside, bubblewrap flags that go or come, limits that are loosened, and what else."""

    edits: tuple[tuple[str, str, str], ...] = ()
    without: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    loose: dict[str, float] | None = None
    judge: dict[str, float] | None = None
    also: str = ""


DOWN = {
    "network": Down((NO_NETWORK_NAMESPACE,), without=("--unshare-net",)),
    "other processes": Down((NO_PID_NAMESPACE,), without=("--unshare-pid",)),
    "environment": Down(also="environment"),
    "descriptors": Down((OPEN_DESCRIPTORS,)),
    "host files": Down(
        (NO_SCRATCH,),
        extra=(
            *bubblewrap._readable_folders(trials.DRIVER),
            *("--ro-bind", str(trials.DRIVER.parent), str(trials.DRIVER.parent)),
        ),
    ),
    "writes": Down((NO_UID,), without=("--remount-ro /", "--remount-ro /dev")),
    "memory of the group": Down(loose={"memory_mb": 2048}),
    "swap": Down(loose={"memory_mb": 2048}),
    "processor time of the group": Down(judge={"cpu_s": 60.0, "wall_s": 1.5}),
    "processes": Down(loose={"processes": 200}),
    "disk": Down(loose={"disk_mb": 64}),
    "files": Down(also="inodes"),
    "output": Down(judge={"output_kb": 1 << 14}),
    "survivors": Down((NO_PID_NAMESPACE,), without=("--unshare-pid",), also="no group"),
    "tracing": Down((NO_FILTER,)),
    "user namespaces": Down((NO_FILTER,)),
    "rights": Down((NO_UID, NO_FILTER)),
    "/proc and /sys": Down((NO_UID,)),
    "devices": Down((NO_UID,), without=("--dev /dev", "--remount-ro /dev"), extra=("--dev-bind", "/dev", "/dev")),
    "clock": Down((NO_UID, NO_FILTER), extra=("--cap-add", "CAP_SYS_TIME")),
    "time": Down(judge={"wall_s": 5.0}),
}


# Where the machine is itself a container, its root may not do these either, so there is nothing to take down.
ALSO_HELD_BY_THE_MACHINE = {"devices": probes.open_devices, "clock": probes.clock}


@pytest.fixture
def cold() -> BubblewrapSandbox:
    """bubblewrap with a server of its own for each run, so that nothing of a fallen wall stays."""
    try:
        return BubblewrapSandbox(allow_approximate_limits=True, warm=False)
    except SandboxUnavailable as reason:
        require("bubblewrap", str(reason))
        raise


class Loosened:
    """A sandbox whose limits are not those that it was asked for."""

    def __init__(self, inner: BubblewrapSandbox, changes: dict[str, float]) -> None:
        self.inner, self.changes, self.name = inner, changes, inner.name

    def open(self, limits, packages, **options):
        return self.inner.open(replace(limits, **self.changes), packages, **options)


@pytest.fixture
def take_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Takes a wall down for the length of a test."""

    def do(down: Down) -> None:
        inside = Path(shutil.copytree(base.INSIDE, tmp_path / "inside"))
        for name, find, instead in down.edits:
            source = (inside / name).read_text()
            assert source.count(find) == 1, f"{name} no longer holds {find!r} once"
            (inside / name).write_text(source.replace(find, instead))
        inside.chmod(0o755)
        tmp_path.chmod(0o755)
        monkeypatch.setattr(bubblewrap, "INSIDE", inside)
        _patch_flags(monkeypatch, down)
        if down.also == "environment":
            for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
                monkeypatch.setenv(name, "1")  # a server with threads forks nothing
            monkeypatch.setattr(bubblewrap, "_environment", lambda **_: [])
            monkeypatch.setattr(zygote, "NOTHING", None)
        if down.also == "inodes":
            monkeypatch.setattr(bubblewrap, "INODES", 100_000)
        if down.also == "no group":
            monkeypatch.setattr(zygote, "make_cgroup", lambda _: None)

    return do


def _patch_flags(monkeypatch: pytest.MonkeyPatch, down: Down) -> None:
    original = BubblewrapSandbox._command

    def command(self, *arguments):
        line = original(self, *arguments)
        for gone in down.without:
            parts = gone.split()
            at = next(i for i in range(len(line)) if line[i : i + len(parts)] == parts)
            del line[at : at + len(parts)]
        end = line.index("--remount-ro") if "--remount-ro" in line else line.index("--")
        return [*line[:end], *down.extra, *line[end:]]

    monkeypatch.setattr(BubblewrapSandbox, "_command", command)


def test_every_wall_holds(walls):
    findings = list(selftest(open_sandbox(walls, allow_approximate_limits=True)))
    assert {finding.wall.name: finding.through for finding in findings if not finding.held} == {}
    assert len(findings) == len(DOWN)
    assert leftover_groups() == []


def test_every_wall_holds_without_a_warm_server(cold):
    assert [finding.wall.name for finding in selftest(cold) if not finding.held] == []


def test_every_wall_has_a_way_to_take_it_down():
    with planted() as host:
        assert [wall.name for wall in trials.walls(host)] == list(DOWN)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot take these walls down: the kernel holds them")
@pytest.mark.parametrize("name", DOWN)
def test_a_wall_that_is_down_is_found(name, cold, take_down):
    down = DOWN[name]
    if name in ALSO_HELD_BY_THE_MACHINE and not ALSO_HELD_BY_THE_MACHINE[name]():
        pytest.skip("this machine itself lets its root do none of it")
    with planted() as host:
        wall = next(wall for wall in trials.walls(host) if wall.name == name)
        assert probe(wall, cold).held, "it holds before it is taken down"
        take_down(down)
        loose = Loosened(cold, down.loose) if down.loose else cold
        wall = replace(wall, limits=replace(wall.limits, **down.judge)) if down.judge else wall
        finding = probe(wall, loose)
        _end(host.marker)
    assert not finding.held


def _end(marker: str) -> None:
    for process in psutil.process_iter(["cmdline"]):
        if marker in (process.info["cmdline"] or []):
            process.kill()


def test_the_command_prints_every_wall_and_fails_for_an_open_one(capsys, walls, monkeypatch):
    arguments = ["selftest", "--sandbox", walls.value, "--allow-approximate-limits"]
    assert main(arguments) == 0
    assert "every wall held" in capsys.readouterr().out
    monkeypatch.setattr("grader.selftest.trials._processes_with", lambda _: [1])
    assert main(arguments) == 1
    printed = capsys.readouterr().out
    assert "survivors                   OPEN" in printed
    assert "1 walls are open" in printed


def test_the_filter_is_a_program_for_both_machines_and_refuses_what_it_lists():
    sizes = {machine: len(seccomp.program(machine)) for machine in seccomp.MACHINES}
    assert all(size % 8 == 0 and 8 * 60 < size < 8 * 4096 for size in sizes.values())
    numbers = [pair[column] for column in (0, 1) for pair in seccomp.DENIED.values()]
    for column in (0, 1):
        listed = [pair[column] for pair in seccomp.DENIED.values() if pair[column] is not None]
        assert len(listed) == len(set(listed)), "two names for one call: one of them is wrong"
    assert len(numbers) == 2 * len(seccomp.DENIED)
