"""The product as docker-compose.yml describes it: from a checkout to a lab graded in a container, and who can reach what."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest
from docker.errors import ImageNotFound

from deploy.demo import PASSWORD, SAMPLE_STUDENT, demo_settings
from deploy.sample import LAB, Client, sample, submit_sample
from deploy.stack import free_port
from grader.api import grade
from grader.contract import JobSpec, SandboxKind, SubmittedFile, Suite
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.docker import connect
from tests.support import require

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("GRADLAB_SECRET_KEY", "GRADLAB_RECEIPT_KEY", "GRADLAB_POSTGRES_PASSWORD", "GRADLAB_REDIS_PASSWORD")
SERVICES = {"engine", "postgres", "proxy", "redis", "sweeper", "web", "worker"}
ASK = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], sys.argv[2].encode() or None), timeout=20)"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"


@dataclass
class Compose:
    """One installation with a name, a port and images of its own, so that it meets no other on the same engine."""

    command: list[str]
    name: str
    port: int
    nothing: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRADLAB_", "COMPOSE_"))}
        settings = demo_settings() | {name: secrets.token_hex(25) for name in SECRETS}
        ports = {"GRADLAB_HTTP_PORT": f"127.0.0.1:{self.port}", "GRADLAB_HTTPS_PORT": f"127.0.0.1:{free_port()}"}
        images = {"GRADLAB_TAG": self.name, "GRADLAB_RUNNER_IMAGE": f"gradlab-runner:{self.name}"}
        return kept | settings | ports | images | {"COMPOSE_PROJECT_NAME": self.name}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        # an empty file stands for .env, so that this machine's own is not read
        command = [*self.command, "--env-file", str(self.nothing), *arguments]
        settings = self.environment | environment
        return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False, timeout=900)

    def must(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{self.logs()}"
        return done.stdout

    def python(self, service: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("exec", "-T", service, "python3", "-c", program, *arguments)

    def logs(self) -> str:
        return self.run("logs", "--no-color", "--tail=30").stdout[-6000:]


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = connect(timeout_s=300)
        client.ping()
    except SandboxUnavailable as reason:
        require("docker", str(reason))
    yield client
    client.close()


@pytest.fixture(scope="module")
def compose(engine, tmp_path_factory) -> Compose:
    """Either generation of the program."""
    plugin = (
        subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if shutil.which("docker")
        else None
    )
    command = ["docker", "compose"] if plugin and plugin.returncode == 0 else ["docker-compose"]
    if not shutil.which(command[0]):
        require("docker", "docker-compose is not installed (Debian: apt-get install docker-compose)")
    nothing = tmp_path_factory.mktemp("compose") / "env"
    nothing.touch()
    return Compose(command, f"gradlab-e2e-{os.getpid()}", free_port(), nothing)


@pytest.fixture(scope="module")
def site(compose, engine) -> Iterator[Compose]:
    """Everything up and the course seeded; afterwards nothing of it is left but the builder's cache."""
    try:
        compose.must("up", "--detach")
        compose.must("exec", "-T", "worker", "python3", "manage.py", "seed_demo")
        wait_for_worker(compose, engine)
        yield compose
    finally:
        compose.must("down", "--volumes", "--remove-orphans", "--timeout", "20")
        for repository in ("gradlab-site", "gradlab-proxy", "gradlab-engine", "gradlab-runner"):
            with suppress(ImageNotFound):  # where the start failed before it was built
                engine.images.remove(f"{repository}:{compose.name}", noprune=True)
        assert containers(engine, f"gradlab.engine={compose.name}") == []


def containers(engine: docker.DockerClient, label: str) -> list[docker.models.containers.Container]:
    return engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def health(engine: docker.DockerClient, compose: Compose) -> dict[str, str]:
    """Each service's state, as its own check has it; those that end by themselves have none."""
    found = containers(engine, f"com.docker.compose.project={compose.name}")
    return {
        one.labels["com.docker.compose.service"]: one.attrs["State"].get("Health", {}).get("Status", one.status)
        for one in found
    }


def wait_for_worker(compose: Compose, engine: docker.DockerClient, patience_s: float = 300.0) -> None:
    """A worker takes jobs once it has tried every wall of its sandbox; a part that stops on the way is told at once."""
    until = time.monotonic() + patience_s
    while (states := health(engine, compose)).get("worker") != "healthy":
        assert time.monotonic() < until, f"{states}\n{compose.logs()}"
        assert "restarting" not in states.values(), f"{states}\n{compose.logs()}"
        time.sleep(1)


def scores(report: dict) -> dict[str, float]:
    """Points by check. A measured one may lose some on a busy machine, so it is left out."""
    return {check["name"]: check["score"] for check in report["checks"] if not check["measurement"]}


def expected_scores(folder: Path) -> dict[str, float]:
    """The same sample, graded here without any walls."""
    data = sample()
    (folder / "autodiff.ipynb").write_bytes(data)
    file = SubmittedFile("autodiff.ipynb", str(folder / "autodiff.ipynb"), hashlib.sha256(data).hexdigest())
    report = grade(JobSpec("here", str(LAB), (file,), 1, Suite.FULL, SandboxKind.TRUSTED))
    return {check.name: check.score for check in report.checks if check.measurement is None}


def test_a_lab_is_graded_in_a_container(site, tmp_path):
    told = submit_sample(site.url, SAMPLE_STUDENT, PASSWORD, patience_s=300)
    client = Client(site.url)
    client.post("/sign-in/", "/sign-in/", {"username": SAMPLE_STUDENT, "password": PASSWORD})
    report = json.loads(client.get(urlsplit(told.rpartition(": ")[2]).path + "report.json")[1])
    assert (report["outcome"], report["sandbox"]) == ("graded", "docker")
    expected = expected_scores(tmp_path)
    found = scores(report)
    assert {name: found.get(name) for name in expected} == expected
    assert report["max_score"] == 100
    assert 95 < report["score"] < 100, "the sample has one mistake"


def test_every_part_says_that_it_is_well(site, engine):
    until = time.monotonic() + 120
    while time.monotonic() < until and any(health(engine, site).get(name) != "healthy" for name in SERVICES):
        time.sleep(1)
    states = health(engine, site)
    assert {name: states.get(name) for name in SERVICES} == dict.fromkeys(SERVICES, "healthy")
    assert states["migrate"] == states["runner"] == "exited"


def test_the_worker_has_the_filter_and_not_the_socket(site):
    assert site.python("worker", ASK, "http://engine:2375/version", "").returncode == 0
    for path, body in (("info", ""), ("containers/create", json.dumps({"Image": "python:3.11-slim-bookworm"}))):
        done = site.python("worker", ASK, f"http://engine:2375/v1.41/{path}", body)
        assert "403" in done.stderr, done.stderr
    assert site.run("exec", "-T", "worker", "test", "-e", "/var/run/docker.sock").returncode == 1


@pytest.mark.parametrize(
    ("service", "host", "port"), [("web", "engine", 2375), ("proxy", "postgres", 5432), ("proxy", "redis", 6379)]
)
def test_networks_keep_apart_what_need_not_meet(site, service, host, port):
    done = site.python(service, CONNECT, host, str(port))
    assert done.returncode == 1
    assert "gaierror" in done.stderr, "it does not even know the name"


def test_nothing_runs_as_root_that_reads_what_people_send(site):
    for service in ("web", "worker", "sweeper"):
        assert site.must("exec", "-T", service, "id", "-u").strip() == "10001"
        assert site.run("exec", "-T", service, "touch", "/srv/gradlab/x").returncode == 1


def test_redis_asks_for_its_password(site):
    done = site.run("exec", "-T", "redis", "sh", "-c", "unset REDISCLI_AUTH; redis-cli ping")
    assert "NOAUTH" in done.stdout


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_is_not_set_stops_the_start_with_a_sentence(compose, name):
    done = compose.run("config", **{name: ""})
    assert done.returncode != 0
    assert f"Set {name} in .env to" in done.stderr
