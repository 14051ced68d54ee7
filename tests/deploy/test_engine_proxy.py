"""The filter in front of a real engine: a lab is graded through it, and nothing else can be had from it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound

from deploy.stack import free_port
from grader.api import close_sandboxes, grade
from grader.contract import JobSpec, SandboxKind, SubmittedFile, Suite, Verdict
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.docker import connect
from tests.deploy.test_engine_rules import BODY, FORBIDDEN, IMAGE, UNNEEDED, body_with
from tests.grader.conftest import TINY
from tests.support import ADD, SCALE, require

pytestmark = [pytest.mark.docker, pytest.mark.sandbox]
ROOT = Path(__file__).resolve().parents[2]
REVERSE = "import sys\ndata = sys.stdin.buffer.read(300_000)\nsys.stdout.buffer.write(data[::-1])\nsys.stdout.flush()"


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    """The engine itself, past the filter."""
    try:
        client = connect(timeout_s=60)
        client.images.get(IMAGE)
    except NotFound:
        require("docker", f"the image {IMAGE} is not there; run make runner-image")
    except SandboxUnavailable as reason:
        require("docker", str(reason))
    yield client
    client.close()


@dataclass
class Filter:
    """A running filter, and a way to ask it."""

    port: int
    scope: str
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def create(self, *command: str, **changes: object) -> str:
        """The id of a container that waits to be started."""
        status, answer = self.ask("POST", "/v1.41/containers/create", body_with({"Cmd": list(command), **changes}))
        assert status == 201, answer
        return json.loads(answer)["Id"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def start_filter(engine) -> Iterator[Callable[..., Filter]]:
    """Starts filters, each with containers of its own."""
    started: list[Filter] = []

    def start(**settings: str) -> Filter:
        port, scope = free_port(), f"test-{os.getpid()}-{len(started)}"
        environment = {
            "GRADLAB_RUNNER_IMAGES": IMAGE,
            "GRADLAB_ENGINE_SCOPE": scope,
            "GRADLAB_ENGINE_LISTEN": f"127.0.0.1:{port}",
        }
        command = [sys.executable, "-m", "deploy.engine.proxy"]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment | settings, stderr=subprocess.PIPE)
        started.append(Filter(port, settings.get("GRADLAB_ENGINE_SCOPE", scope), process))
        assert b"listening" in process.stderr.readline()
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="module")
def gate(start_filter) -> Filter:
    return start_filter()


@pytest.fixture
def bystander(engine) -> Iterator[docker.models.containers.Container]:
    """A container of somebody else on the same engine, with a secret in its environment."""
    made = engine.containers.create(
        IMAGE, ["python3", "-c", "input()"], environment={"PASSWORD": "planted"}, network_mode="none"
    )
    yield made
    made.remove(force=True)


def containers_of(engine: docker.DockerClient, gate: Filter) -> list[str]:
    return [
        found.id
        for found in engine.containers.list(
            all=True, filters={"label": f"gradlab.engine={gate.scope}"}, ignore_removed=True
        )
    ]


def until(condition: Callable[[], bool], patience_s: float = 20.0) -> bool:
    deadline = time.monotonic() + patience_s
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return held


@pytest.fixture
def through_the_gate(gate, monkeypatch):
    """The grader's engine is the filter, and no container that waits goes from the one to the other."""
    close_sandboxes()
    monkeypatch.setenv("DOCKER_HOST", gate.url)
    yield
    close_sandboxes()


@pytest.mark.usefixtures("through_the_gate")
def test_a_lab_is_graded_through_the_filter(tmp_path):
    source = (ADD + SCALE).encode()
    (tmp_path / "work.py").write_bytes(source)
    file = SubmittedFile("work.py", str(tmp_path / "work.py"), hashlib.sha256(source).hexdigest())
    report = grade(JobSpec("test", str(TINY), (file,), 1, Suite.FULL, SandboxKind.DOCKER))
    assert (report.score, report.max_score) == (10, 10), report.message
    assert {check.verdict for check in report.checks} == {Verdict.PASSED}


def test_bytes_go_both_ways_and_the_end_can_be_asked_for(gate, engine):
    container = gate.create("python3", "-c", REVERSE)
    client = docker.APIClient(gate.url, version="1.41")
    data = os.urandom(300_000)
    attached = client.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    client.start(container)
    wire = attached._sock
    wire.settimeout(60)
    wire.sendall(data)
    assert unframed(wire) == data[::-1]
    state = client.inspect_container(container)["State"]
    assert (state["Running"], state["ExitCode"]) == (False, 0), "it stays until the worker has looked"
    wire.shutdown(socket.SHUT_RDWR)
    attached.close()
    wire.close()
    client.close()
    assert until(lambda: container not in containers_of(engine, gate))


def unframed(wire: socket.socket) -> bytes:
    """What a stream carries, without the engine's frames, to its end."""
    raw = b"".join(iter(lambda: wire.recv(1 << 16), b""))
    data = b""
    while raw:
        size = int.from_bytes(raw[4:8], "big")
        data, raw = data + raw[8 : 8 + size], raw[8 + size :]
    return data


def test_what_a_killed_worker_leaves_is_removed(gate, engine):
    container = gate.create("python3", "-c", "import time; time.sleep(600)")
    worker = f"""
import docker, time
client = docker.APIClient("{gate.url}", version="1.41")
held = client.attach_socket("{container}", {{"stdin": 1, "stdout": 1, "stream": 1}})
client.start("{container}")
print("started", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", worker], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"started\n"
        assert engine.containers.get(container).status == "running"
        process.kill()
    assert until(lambda: container not in containers_of(engine, gate))


@pytest.mark.parametrize(("method", "path"), [one for one in UNNEEDED if "\n" not in one[1]])
def test_a_call_that_no_worker_needs_never_reaches_the_engine(gate, method, path):
    status, answer = gate.ask(method, path)
    assert (status, "Refused by Gradlab" in answer or method == "HEAD") == (403, True)


@pytest.mark.parametrize("changes", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_container_with_a_hole_is_never_made(gate, engine, changes):
    before = containers_of(engine, gate)
    status, answer = gate.ask("POST", "/v1.41/containers/create", body_with(changes))
    # one of an earlier test may be on its way out
    assert (status, set(containers_of(engine, gate)) - set(before)) == (403, set()), answer


def test_the_engine_gets_what_was_checked_and_not_what_was_sent(gate, engine):
    twice = json.dumps(BODY)[:-1] + ', "HostConfig": ' + json.dumps({**BODY["HostConfig"], "PidsLimit": 7}) + "}"
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=60)
    connection.request("POST", "/v1.41/containers/create?name=postgres", twice, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    made = engine.containers.get(json.loads(answer.read())["Id"])
    connection.close()
    assert made.attrs["HostConfig"]["PidsLimit"] == 7
    assert made.name != "postgres"
    made.remove()


@pytest.mark.parametrize(
    ("method", "what"), [("GET", "/json"), ("GET", "/stats"), ("POST", "/start"), ("POST", "/attach"), ("DELETE", "")]
)
def test_nobody_elses_container_can_be_touched(gate, engine, bystander, method, what):
    status, answer = gate.ask(method, f"/v1.41/containers/{bystander.id}{what}", Connection="Upgrade", Upgrade="tcp")
    assert status == 403
    assert "planted" not in answer
    assert engine.containers.get(bystander.id).status == "created"


def test_the_list_shows_our_containers_alone(gate, bystander):
    ours = gate.create("python3")
    listed = json.loads(gate.ask("GET", "/v1.41/containers/json?all=1&filters=%7B%7D")[1])
    assert ours in {one["Id"] for one in listed}
    assert bystander.id not in {one["Id"] for one in listed}
    assert gate.ask("DELETE", f"/v1.41/containers/{ours}")[0] == 204


def test_a_body_without_a_plain_length_is_refused(gate):
    status, answer = gate.ask("POST", "/v1.41/containers/create", BODY, **{"Transfer-Encoding": "chunked"})
    assert status == 403
    assert "length" in answer
    assert gate.ask("POST", "/v1.41/containers/create", body_with({"Cmd": ["x" * 300_000]}))[0] == 403


def test_the_number_of_containers_has_an_end(start_filter):
    gate = start_filter(GRADLAB_ENGINE_CONTAINERS="2")
    for _ in range(2):
        gate.create("python3")
    status, answer = gate.ask("POST", "/v1.41/containers/create", BODY)
    assert status == 403
    assert "2 containers" in answer


def test_a_filter_begins_and_ends_without_containers(start_filter, engine):
    first = start_filter()
    first.create("python3")
    first.process.kill()
    first.process.wait()
    assert len(containers_of(engine, first)) == 1
    second = start_filter(GRADLAB_ENGINE_SCOPE=first.scope)
    assert containers_of(engine, first) == []
    second.create("python3")
    second.stop()
    assert containers_of(engine, first) == []


def test_an_engine_that_is_away_is_told_with_a_sentence(tmp_path):
    environment = os.environ | {
        "GRADLAB_RUNNER_IMAGES": IMAGE,
        "GRADLAB_ENGINE_SOCKET": str(tmp_path / "none.sock"),
        "GRADLAB_ENGINE_LISTEN": "127.0.0.1:0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "deploy.engine.proxy"],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "none.sock" in done.stderr.splitlines()[-1]
