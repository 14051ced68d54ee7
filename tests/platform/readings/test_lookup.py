"""Looking up papers: what answers say, bounds of time and size, no other host, and a form that works without any of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.urls import reverse
from pytest_socket import enable_socket
from urllib3 import HTTPConnectionPool

from readings.keeping.facts import PaperFacts
from readings.keeping.identifiers import arxiv_id, doi
from readings.keeping.lookup import Identifier, LookupFailed, identified, look_up
from readings.keeping.lookup.fetching import fetch, within
from readings.keeping.lookup.web import arxiv_facts, crossref_facts
from readings.models import Reading

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query</title>
<entry><id>http://arxiv.org/abs/2205.14135v2</id><published>2022-05-27T17:53:09Z</published>
<title>FlashAttention: Fast and Memory-Efficient Exact
  Attention with IO-Awareness</title><summary>Transformers are slow &amp; memory-hungry.</summary>
<author><name>Tri Dao</name></author><author><name>Christopher Ré</name></author>
<arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.5555/3600270</arxiv:doi></entry></feed>"""
NO_PAPER = ATOM.replace("http://arxiv.org/abs/2205.14135v2", "http://arxiv.org/api/errors#incorrect_id_format")
CROSSREF = """{"status": "ok", "message": {"title": ["Efficient <i>large-scale</i> training &amp; serving"],
"author": [{"given": "Deepak", "family": "Narayanan"}, {"name": "The Team"}], "container-title": ["Proceedings of SC"],
"issued": {"date-parts": [[2021, 11, 14]]}, "event": {"name": "SC '21", "acronym": "SC"}, "DOI": "10.1145/3458817.3476209"}}"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2104.04473", Identifier("arxiv", "2104.04473")),
        (" arXiv:2104.04473v3 ", Identifier("arxiv", "2104.04473v3")),
        ("https://arxiv.org/abs/2104.04473", Identifier("arxiv", "2104.04473")),
        ("https://arxiv.org/pdf/2104.04473v2.pdf", Identifier("arxiv", "2104.04473v2")),
        ("hep-th/9901001", Identifier("arxiv", "hep-th/9901001")),
        ("https://doi.org/10.48550/arXiv.2104.04473", Identifier("arxiv", "2104.04473")),
        ("10.1145/3458817.3476209", Identifier("doi", "10.1145/3458817.3476209")),
        ("doi:10.1145/3458817.3476209", Identifier("doi", "10.1145/3458817.3476209")),
        ("https://dx.doi.org/10.1145/3458817.3476209", Identifier("doi", "10.1145/3458817.3476209")),
        ("Megatron-LM", None),
        ("https://evil.example/abs/2104.04473", None),
        ("10.1145/a b", None),
        ("", None),
    ],
)
def test_what_people_paste_is_understood(text, found):
    assert identified(text) == found


def test_an_id_is_nothing_but_itself():
    assert arxiv_id("2104.04473?x=1&id_list=1") == ""
    assert doi("10.1145/x\nHost: other") == ""


def test_an_atom_entry_is_read():
    assert arxiv_facts(ATOM.encode(), "2205.14135") == PaperFacts(
        title="FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
        authors="Tri Dao, Christopher Ré",
        year=2022,
        arxiv_id="2205.14135",
        doi="10.5555/3600270",
    )


def test_a_crossref_work_is_read_without_its_markup():
    assert crossref_facts(CROSSREF.encode(), "10.1145/3458817.3476209") == PaperFacts(
        title="Efficient large-scale training & serving",
        authors="Deepak Narayanan, The Team",
        venue="SC",
        year=2021,
        doi="10.1145/3458817.3476209",
    )


BOMB = '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not xml",
        b"<feed/>",
        b'<feed xmlns="http://www.w3.org/2005/Atom"/>',
        ATOM[:300].encode(),
        ATOM.encode("utf-16"),
        NO_PAPER.encode(),
        ATOM.replace("<feed", BOMB + "<feed").encode(),
        ATOM.replace("<feed", OUTSIDE + "<feed").replace("Tri Dao", "&a;").encode(),
        b"<" * 100_000,
    ],
)
def test_what_is_no_answer_of_arxiv_is_a_sentence(answer):
    with pytest.raises(LookupFailed, match="arXiv"):
        arxiv_facts(answer, "2205.14135")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"{}",
        b'{"message": {"title": []}}',
        b'{"message": {"title": "text"}}',
        b'{"message": {"title": [1]}}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
def test_what_is_no_answer_of_crossref_is_a_sentence(answer):
    with pytest.raises(LookupFailed, match="Crossref"):
        crossref_facts(answer, "10.1145/1")


@pytest.mark.parametrize(
    "url",
    [
        "http://export.arxiv.org/api/query",
        "https://example.org/",
        "https://export.arxiv.org@example.org/",
        "https://export.arxiv.org:8443/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
    ],
)
def test_no_other_place_is_asked(url):
    with pytest.raises(LookupFailed, match="not a place"):
        fetch(url, timeout_s=1, max_bytes=100)


class _Answers(BaseHTTPRequestHandler):
    """Answers of servers that are not as they should be."""

    visited: list[str]

    def do_GET(self):
        self.server.visited.append(self.path)  # type: ignore[attr-defined]
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/secret")
            self.end_headers()
            return
        if self.path == "/silent":
            time.sleep(2)
            return
        self.send_response({"/missing": 404, "/busy": 503}.get(self.path, 200))
        self.end_headers()
        try:
            if self.path == "/drips":
                for _ in range(40):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            else:
                self.wfile.write(b"x" * (5000 if self.path == "/long" else 10))
        except OSError:
            pass  # nobody waits any more

    def log_message(self, *_args):
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    enable_socket()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as running:
        running.visited = []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def ask(server, path: str, timeout_s: float = 5.0) -> bytes:
    with HTTPConnectionPool("127.0.0.1", server.server_port, timeout=timeout_s) as pool:
        return within(pool, path, timeout_s=timeout_s, max_bytes=1000)


def test_a_body_is_read(server):
    assert ask(server, "/fine") == b"x" * 10


@pytest.mark.parametrize(
    ("path", "why"),
    [("/missing", "knows no such paper"), ("/busy", "status 503"), ("/elsewhere", "status 302"), ("/long", "too long")],
)
def test_other_answers_are_sentences(server, path, why):
    with pytest.raises(LookupFailed, match=why):
        ask(server, path)
    assert server.visited == [path]  # and a redirect leads nowhere


@pytest.mark.parametrize("path", ["/silent", "/drips"])
def test_nobody_waits_longer_than_the_time_out(server, path):
    began = time.monotonic()
    with pytest.raises(LookupFailed, match=r"within 0\.3 seconds"):
        ask(server, path, timeout_s=0.3)
    assert time.monotonic() - began < 1.5


def test_a_host_that_is_not_there_is_a_sentence(server):
    port = server.server_port
    server.shutdown()
    server.server_close()
    with HTTPConnectionPool("127.0.0.1", port, timeout=1) as pool, pytest.raises(LookupFailed, match="not be reached"):
        within(pool, "/", timeout_s=1, max_bytes=10)


class Shelf:
    """A plug-in of somebody's own."""

    def find(self, identifier: Identifier) -> PaperFacts:
        if identifier.value.startswith("9"):
            raise LookupFailed("The shelf has no such paper.")
        return PaperFacts("From the shelf", authors="A. Nother", year=2020, arxiv_id=identifier.value)


OWN = f"{__name__}.Shelf"


@pytest.fixture
def own_shelf(settings):
    settings.PAPER_LOOKUP = OWN


def test_a_plug_in_of_ones_own_is_used(own_shelf):
    assert look_up("2104.04473").title == "From the shelf"
    with pytest.raises(LookupFailed, match=r"shelf has no such paper\. Please fill in the form by hand"):
        look_up("9999.00001")


def post(browser, world, **data):
    url = reverse("reading-list-add", args=[world.offering.slug])
    return browser(world.instructor).post(url, {"title": "Typed before", "due_at": "2026-03-06T23:59:59", **data})


@pytest.mark.django_db
def test_a_look_up_fills_the_form_and_adds_nothing(world, browser, own_shelf):
    page = post(browser, world, act="look-up", find="2104.04473", topic_hint="typed").content.decode()
    assert 'value="From the shelf"' in page
    assert 'value="typed"' in page  # what the plug-in does not know stays as it was typed
    assert "2026-03-06T23:59:59" in page
    assert not Reading.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["off", OWN])
def test_without_an_answer_the_form_comes_back_as_it_was_typed(world, browser, settings, how):
    settings.PAPER_LOOKUP = how
    response = post(browser, world, act="look-up", find="9999.00001")
    page = response.content.decode()
    assert response.status_code == 200
    assert "Please fill in the form by hand." in page
    assert 'value="Typed before"' in page
    assert not Reading.objects.exists()


@pytest.mark.django_db
def test_what_names_nothing_is_told(world, browser, own_shelf):
    page = post(browser, world, act="look-up", find="<script>alert(1)</script>").content.decode()
    assert "is no arXiv id and no DOI" in page
    assert "<script>alert" not in page
