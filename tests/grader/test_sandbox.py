"""What student code can and cannot do, in each real sandbox, and that an honest submission still grades afterwards."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from grader.contract import GradeReport, Outcome, Verdict
from tests.support import ADD, SCALE, leftover_groups

pytestmark = pytest.mark.sandbox


def probe(body: str) -> str:
    """A submission whose `add` runs a body first and whose `scale` is right."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"import os, sys, time\ndef add(a, b):\n{lines}\n    return a + b\n{SCALE}"


def said(report: GradeReport) -> str:
    """What the first check's run printed."""
    assert report.outcome is Outcome.GRADED, report.message
    return report.checks[0].output


def test_an_honest_submission_gets_every_point(grade_source, walls):
    report = grade_source(ADD + SCALE, sandbox=walls)
    assert (report.score, report.max_score) == (10, 10)
    assert {check.verdict for check in report.checks} == {Verdict.PASSED}


def test_there_is_no_network(grade_source, walls):
    body = """
import socket
for family, address in ((socket.AF_INET, ("198.51.100.1", 80)), (socket.AF_INET, ("127.0.0.1", 6379))):
    try:
        socket.create_connection(address, timeout=1)
        print("CONNECTED")
    except OSError as error:
        print("refused", error)
"""
    assert "CONNECTED" not in said(grade_source(probe(body), sandbox=walls))


def test_the_host_and_the_grader_are_not_there(grade_source, walls, tiny, monkeypatch):
    monkeypatch.setenv("GRADLAB_SECRET_KEY", "planted-secret")
    body = f"""
found = [path for path in ({str(tiny)!r}, {str(Path.cwd())!r}, "/var/run/docker.sock") if os.path.exists(path)]
print("found", found, "secret" if "planted-secret" in str(dict(os.environ)) else "clean")
for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
    try:
        text = open(f"/proc/{{pid}}/environ").read()
        print("LEAK" if "planted-secret" in text else "")
    except OSError:
        pass
print(len([p for p in os.listdir("/proc") if p.isdigit()]), "processes")
"""
    output = said(grade_source(probe(body), sandbox=walls))
    assert "found [] clean" in output
    assert "LEAK" not in output
    assert int(output.split(" processes")[0].split()[-1]) < 6


def test_nothing_can_be_written_but_a_small_tmp(grade_source, walls):
    body = """
for path in ("/gradlab/inside/x", "/usr/x", "/x", "/etc/x"):
    try:
        open(path, "w").close()
        print("WROTE", path)
    except OSError:
        pass
try:
    with open("/tmp/big", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
            file.flush()
    print("WROTE 64 MB")
except OSError as error:
    print("stopped:", error)
"""
    output = said(grade_source(probe(body), sandbox=walls))
    assert "WROTE" not in output
    assert "stopped:" in output


def test_no_rights_can_be_gained(grade_source, walls):
    body = """
for name in ("setuid", "setgid"):
    try:
        getattr(os, name)(0)
        print("GAINED" if os.getuid() == 0 else "kept")
    except OSError:
        print("refused")
status = open("/proc/self/status").read()
print("caps", int(status.split("CapEff:")[1].split()[0], 16), "nnp", status.split("NoNewPrivs:")[1].split()[0])
"""
    output = said(grade_source(probe(body), sandbox=walls))
    assert "GAINED" not in output
    assert "caps 0 nnp 1" in output


def test_an_endless_loop_is_stopped_by_the_judges_clock(grade_source, walls):
    report = grade_source(probe("while True: pass"), sandbox=walls)
    assert report.checks[0].verdict is Verdict.TIME_LIMIT
    assert "Stopped after" in report.checks[0].message
    assert report.checks[2].verdict is Verdict.PASSED  # the other task is graded in a fresh sandbox


def test_sleeping_and_ignoring_signals_does_not_help(grade_source, walls):
    body = "import signal\nfor n in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU): signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)"
    started = time.monotonic()
    report = grade_source(probe(body), sandbox=walls)
    assert report.checks[0].verdict is Verdict.TIME_LIMIT
    assert time.monotonic() - started < 20


def test_memory_is_limited_for_the_whole_group(grade_source, walls):
    body = "keep = [bytearray(os.urandom(1) * (32 << 20)) for _ in range(40)]"
    check = grade_source(probe(body), sandbox=walls).checks[0]
    assert check.verdict in {Verdict.MEMORY_LIMIT, Verdict.ERROR}
    assert "memory" in check.message.lower()


def test_a_fork_bomb_hits_the_process_limit(grade_source, walls):
    body = """
children = []
for _ in range(200):
    pid = os.fork()
    if pid == 0:
        time.sleep(30)
        os._exit(0)
    children.append(pid)
"""
    check = grade_source(probe(body), sandbox=walls).checks[0]
    assert check.verdict in {Verdict.PROCESS_LIMIT, Verdict.ERROR}
    assert _processes_of("sleep(30)") == 0


def test_nothing_survives_the_run(grade_source, walls):
    marker = f"survivor-{os.getpid()}-{walls.value}"
    body = f"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(300)", "{marker}"])
    os._exit(0)
"""
    grade_source(probe(body), sandbox=walls)
    assert _processes_of(marker) == 0
    assert leftover_groups() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os._exit(0)", "exited with status 0 before finishing"),
        ("os.kill(os.getpid(), 9)", "before finishing"),
        ("sys.exit(0)", "SystemExit"),
        ("raise ValueError('shape mismatch')", "ValueError: shape mismatch at work.py, line 3"),
        ("return None", "returned nothing"),
        ("return object()", "returned a object"),
        ("return a.astype('float32')", "returned float32"),
        ("return (a + b)[:1]", "expected float64"),
        ("return a + float('nan')", "not finite"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(grade_source, walls, body, words):
    check = grade_source(probe(body), sandbox=walls).checks[0]
    assert check.score == 0
    assert words in check.message


def test_a_flood_of_output_is_cut_and_the_check_still_counts(grade_source, walls):
    report = grade_source(probe("sys.stdout.write('x' * 300_000); sys.stderr.write('y' * 300_000)"), sandbox=walls)
    check = report.checks[0]
    assert check.verdict is Verdict.PASSED
    assert len(check.output) < 5_000
    assert "cut" in check.output


def test_what_is_printed_is_never_a_verdict(grade_source, walls):
    forged = probe("print('SCORE: 100'); print('4 passed'); os.write(1, b'GLF1' + bytes(12)); a = a * 0")
    assert grade_source(forged, sandbox=walls).checks[0].score == 0


def test_a_forged_frame_is_not_believed(grade_source, walls):
    body = """
for descriptor in range(3, 64):
    try:
        os.write(descriptor, b"not a frame, not a frame, not a frame")
    except OSError:
        pass
"""
    check = grade_source(probe(body), sandbox=walls).checks[0]
    assert check.verdict in {Verdict.TAMPERED, Verdict.FAILED, Verdict.ERROR}
    assert check.score == 0


def test_cells_that_never_end_are_waited_for_once(grade_source, walls):
    started = time.monotonic()
    report = grade_source("while True: pass\n" + ADD + SCALE, sandbox=walls)
    assert report.score == 0
    assert all(check.message.startswith("While your cells ran") for check in report.checks)
    assert time.monotonic() - started < 15


def _processes_of(marker: str) -> int:
    deadline = time.monotonic() + 5
    while True:
        listing = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
        count = sum(marker in line for line in listing.splitlines())
        if not count or time.monotonic() > deadline:
            return count
        time.sleep(0.1)
