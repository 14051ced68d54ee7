"""The corpus where no browser is needed: rendered Markdown, spreadsheets, names of files, forms that meet a null byte."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template import Context, Template
from django.urls import reverse

from config import clock
from config.spreadsheets import csv_text, plain
from submissions import storage
from submissions.models import Source, SubmittedFile
from submissions.services import StoredFile, record_submission
from tests.factories import RIGHT
from tests.platform.web.corpus import CORPUS, STORABLE
from web.templatetags.prose import render_markdown

TEXTS = [vector.text for vector in CORPUS]
DEAD = {
    "script",
    "iframe",
    "object",
    "embed",
    "base",
    "meta",
    "link",
    "style",
    "form",
    "svg",
    "math",
    "img",
    "input",
    "template",
}


# what is no scheme leads to a page of this host
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")
# never more of these on a page for what somebody typed
FEW = ("script", "iframe", "object", "embed", "base", "style", "img", "math", "meta", "link")


class Tags(HTMLParser):
    """What of a piece of HTML would do something."""

    def __init__(self) -> None:
        super().__init__()
        self.live: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.live += [tag] if tag in DEAD else []
        for name, value in attrs:
            address = "".join((value or "").split()).lower()
            named = SCHEME.match(address) if name in {"href", "src"} else None
            scheme = named[1] if named else ""
            if name.startswith(("on", "hx-", "data-hx", "style")) or scheme not in {"", "https", "http", "mailto"}:
                self.live.append(f"{tag} {name}={value}")
            if name == "id" and value == "xss":
                self.live.append(f"{tag} {name}={value}")


def live_parts(html: str) -> list[str]:
    tags = Tags()
    tags.feed(html)
    tags.close()
    return tags.live


def test_the_corpus_is_large_and_each_text_fits_the_shortest_field():
    assert len(set(TEXTS)) == len(TEXTS) >= 60
    assert max(map(len, TEXTS)) <= 200


def test_the_measure_finds_what_is_live():
    raw = [vector.text for vector in CORPUS if vector.kind == "html" and not vector.text.startswith("<!--")]
    silent = [text for text in raw if not live_parts(f"<div>{text}</div>")]
    # these bite by what a browser makes of them, which is for the test with a browser to see
    assert len(silent) < len(raw) / 6, silent


@pytest.mark.parametrize("text", TEXTS)
def test_rendered_markdown_holds_nothing_that_runs(text):
    for wrapped in (text, f"before {text} after", f"> - {text}\n\n{text}"):
        assert live_parts(render_markdown(wrapped)) == []


@pytest.mark.parametrize("text", TEXTS)
def test_a_template_shows_it_as_it_is(text):
    shown = Template('<p title="{{ text }}">{{ text }}</p><a href="/{{ text|urlencode }}">x</a>')
    assert live_parts(shown.render(Context({"text": text}))) == []


@pytest.mark.parametrize("text", TEXTS)
def test_a_spreadsheet_takes_it_for_text(text):
    (row,) = csv.reader(io.StringIO(csv_text([["before", text, "after"]]), newline=""))
    assert not row[1].startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    assert [row[0], plain(row[1]), row[2]] == ["before", text, "after"]


@pytest.mark.django_db
@pytest.mark.parametrize("text", TEXTS)
def test_the_name_of_a_file_is_refused_or_harmless(text, world, browser, files_dir):
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    file = SimpleUploadedFile("work.py", RIGHT.encode())
    file._name = text  # as a browser would send it, without Django's own care for names
    response = browser(world.student).post(url, {"files": [file]})
    assert response.status_code in {302, 422}
    assert "Traceback" not in response.content.decode()
    for stored in SubmittedFile.objects.all():
        assert stored.name.isprintable()
        assert not {"/", "\\", "\0"} & set(stored.name)


@pytest.mark.django_db
@pytest.mark.parametrize("text", STORABLE)
def test_a_download_of_a_file_with_that_name_stays_a_download(text, world, browser, files_dir):
    """Stored past every check, as an older version of the product could have."""
    data = b"<script>xss()</script>"
    made = record_submission(
        assignment=world.lab,
        enrollment=world.student,
        files=[StoredFile(text, storage.store(data), len(data))],
        source=Source.UPLOAD,
        client_token=None,
        received_at=clock.now(),
        waiting_ahead=0,
        mail=False,
    )
    response = browser(world.student).get(reverse("submission-file", args=[made.pk, made.files.get().pk]))
    assert b"".join(response.streaming_content) == data
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert "\n" not in disposition
    assert "\r" not in disposition
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert not response.headers["Content-Type"].startswith(("text/html", "image/svg"))
    assert "xss" not in response.cookies


@pytest.mark.django_db
@pytest.mark.parametrize("text", [*TEXTS[::6], *(vector.text for vector in CORPUS if vector.kind == "null")])
def test_forms_answer_with_a_page_whatever_is_typed(text, world, browser):
    """Neither a null byte nor anything else ends in a fault; what is refused says so."""
    slug = world.offering.slug
    staff = browser(world.instructor)
    for name in ("audit", "scores", "people"):
        asked = staff.get(
            reverse(name, args=[slug]), {"q": text, "text": text, "student": text, "who": text, "page": text}
        )
        assert asked.status_code == 200
        plain_page = staff.get(reverse(name, args=[slug])).content.decode()
        found, usual = live_parts(asked.content.decode()), live_parts(plain_page)
        assert [found.count(tag) for tag in FEW] == [usual.count(tag) for tag in FEW]
        assert [part for part in found if "xss" in part] == []
    typed = {"scope": text, "reason": text, "max_attempts": text, "signed": text}
    for name in ("lab-regrade-start", "lab-limits"):
        assert staff.post(reverse(name, args=[slug, world.lab.slug]), typed).status_code < 500
    assert staff.post(reverse("score-sheet-apply", args=[slug, world.lab.slug]), typed).status_code == 302
