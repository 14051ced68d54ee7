"""The image of nginx in front of the site, with and without a certificate, before a stand-in that tells what it was sent."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from deploy.stack import free_port
from grader.sandbox.base import SandboxUnavailable
from grader.sandbox.docker import connect
from tests.support import require

pytestmark = pytest.mark.docker
ROOT = Path(__file__).resolve().parents[2]
# Says what it was asked, and streams two events with a pause between them that a buffer would swallow.
SITE = r"""
import http.server, json, time
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if not self.path.endswith("/events/"):
            self.wfile.write(json.dumps(dict(self.headers)).encode())
            return
        for number in range(2):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
            time.sleep(4)
    do_POST = do_GET
server = http.server.ThreadingHTTPServer(("", 8000), Site)
print("ready", flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = connect(timeout_s=300)
        client.ping()
        if not shutil.which("docker"):
            require("docker", "the program docker, which builds the image, is not installed")
    except SandboxUnavailable as reason:
        require("docker", str(reason))
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(engine) -> Iterator[str]:
    """The image, built as docker-compose builds it."""
    name = f"gradlab-proxy:test-{os.getpid()}"
    command = ["docker", "build", "--quiet", "--file", "deploy/images/proxy.Dockerfile", "--tag", name, "."]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    yield name
    engine.images.remove(name, noprune=True)


@pytest.fixture(scope="module")
def network(engine, image) -> Iterator[str]:
    """A network on which the stand-in answers to the site's name."""
    name = f"gradlab-test-{os.getpid()}"
    made = engine.networks.create(name)
    names = {name: engine.api.create_endpoint_config(aliases=["web"])}
    site = engine.containers.run(image, ["python3", "-c", SITE], network=name, networking_config=names, detach=True)
    until = time.monotonic() + 60
    while b"ready" not in site.logs():
        assert time.monotonic() < until, site.logs().decode()
        time.sleep(0.1)
    yield name
    site.remove(force=True)
    made.remove()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A folder with a certificate that we signed ourselves."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate, and is not installed")
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def start(engine, image, network) -> Iterator[Callable[..., dict[int, int]]]:
    """Starts the proxy as docker-compose does; returns this machine's port for each of the container's."""
    started = []

    def run(*volumes: str, network: str = network) -> dict[int, int]:
        ports = {8080: free_port(), 8443: free_port()}
        made = engine.containers.run(
            image,
            network=network,
            detach=True,
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            cap_add=["CHOWN", "SETGID", "SETUID"],
            security_opt=["no-new-privileges:true"],
            volumes=list(volumes),
            ports={f"{inside}/tcp": ("127.0.0.1", outside) for inside, outside in ports.items()},
        )
        started.append(made)
        until = time.monotonic() + 60
        while not answers(ports[8080]):
            assert time.monotonic() < until, made.logs().decode()
            time.sleep(0.1)
        return ports

    yield run
    for made in started:
        made.remove(force=True)
    for left in engine.networks.list(names=[f"gradlab-test-{os.getpid()}-"]):
        left.remove()


@pytest.fixture(scope="module")
def plain(start) -> int:
    return start()[8080]


@pytest.fixture(scope="module")
def secure(start, certificate) -> dict[int, int]:
    return start(f"{certificate}:/etc/gradlab/tls:ro")


def answers(port: int) -> bool:
    try:
        return ask(by_http(port), "/proxy-health")[0] == 204
    except (OSError, http.client.HTTPException):
        return False


def ask(connection: http.client.HTTPConnection, path: str, **headers: str):
    """(status, headers, text)."""
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def by_http(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def by_https(port: int, certificate: Path, **versions: ssl.TLSVersion) -> http.client.HTTPSConnection:
    trust = ssl.create_default_context(cafile=certificate / "fullchain.pem")
    for name, version in versions.items():
        setattr(trust, name, version)
    return http.client.HTTPSConnection("localhost", port, timeout=60, context=trust)


def test_without_a_certificate_it_serves_http(plain):
    status, _, text = ask(by_http(plain), "/labs/", Host="gradlab.example.edu:8080")
    told = json.loads(text)
    assert status == 200
    assert (told["Host"], told["X-Forwarded-Proto"]) == ("gradlab.example.edu:8080", "http")


def test_what_a_visitor_says_of_itself_is_not_believed(plain):
    spoofed = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    told = json.loads(ask(by_http(plain), "/", **spoofed)[2])
    assert "192.0.2.7" not in told["X-Forwarded-For"]
    assert told["X-Forwarded-Proto"] == "http"


def test_events_arrive_one_by_one(plain):
    connection = by_http(plain)
    started = time.monotonic()
    connection.request("GET", "/jobs/7/events/")
    answer = connection.getresponse()
    assert answer.readline() == b"data: 0\n"
    assert time.monotonic() - started < 4, "a buffer would have kept it until the stream's end"
    answer.close()
    connection.close()


def test_a_body_beyond_the_limit_is_refused_unread(plain):
    with socket.create_connection(("127.0.0.1", plain), timeout=30) as visitor:
        visitor.sendall(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        assert visitor.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_with_a_certificate_it_serves_https_and_sends_everyone_there(secure, certificate):
    told = json.loads(ask(by_https(secure[8443], certificate), "/")[2])
    assert told["X-Forwarded-Proto"] == "https"
    status, headers, _ = ask(by_http(secure[8080]), "/o/cs498/?week=2", Host="gradlab.example.edu")
    assert (status, headers["Location"]) == (308, "https://gradlab.example.edu/o/cs498/?week=2")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_refused(secure, certificate):
    old = {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1}
    with pytest.raises(ssl.SSLError):
        ask(by_https(secure[8443], certificate, **old), "/")


def test_a_key_without_its_certificate_is_no_silent_http(engine, image, certificate, tmp_path):
    shutil.copy(certificate / "privkey.pem", tmp_path)
    made = engine.containers.run(image, detach=True, volumes=[f"{tmp_path}:/etc/gradlab/tls:ro"])
    try:
        assert made.wait(timeout=60)["StatusCode"] == 1
        assert "fullchain.pem" in made.logs().decode()
    finally:
        made.remove(force=True)


def test_a_site_that_is_away_is_told_with_a_sentence(engine, start):
    elsewhere = engine.networks.create(f"gradlab-test-{os.getpid()}-empty")
    status, headers, text = ask(by_http(start(network=elsewhere.name)[8080]), "/")
    assert (status, headers["Retry-After"]) == (503, "15")
    assert "What you handed in is safe" in text
