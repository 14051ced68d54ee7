"""A file in place of the six fields: what is taken, what a refusal says, how it is shown."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from submissions import storage
from submissions.models import Draft, Source, Submission
from submissions.texts import read_texts, read_upload
from tests.platform.readings.summaries.posts import fields

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7\n" + bytes(range(256))
TEXT = "# Summary\n\nPaging *helps*. <script>alert(1)</script>\n"


@pytest.fixture
def send(post):
    """Upload a file; returns status and page."""

    def upload(name: str, data: bytes):
        response, page = post({"files": SimpleUploadedFile(name, data)})
        return response.status_code, page

    return upload


@pytest.mark.parametrize("name", ["summary.md", "Meine Übersicht.txt", "SUMMARY.MD"])
def test_text_is_stored_under_its_own_name_and_shown_as_text(world, send, browser, name):
    assert send(name, TEXT.encode())[0] == 302
    made = Submission.objects.get()
    assert (made.source, [file.name for file in made.files.all()]) == (Source.UPLOAD, [name])
    assert storage.read(made.files.get().sha256) == TEXT.encode()
    page = browser(world.student).get(reverse("summary", args=[made.pk])).content.decode()
    assert "# Summary" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_a_pdf_is_a_download_that_no_browser_opens(world, send, browser):
    assert send("summary.pdf", PDF)[0] == 302
    made = Submission.objects.get()
    page = browser(world.student).get(reverse("summary", args=[made.pk])).content.decode()
    assert "A PDF is not shown here" in page
    response = browser(world.student).get(reverse("submission-file", args=[made.pk, made.files.get().pk]))
    assert b"".join(response) == PDF
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Type"] == "application/octet-stream"


BAD = {
    "another kind": ("summary.docx", b"PK", "is none"),
    "no kind": ("summary", b"x", "is none"),
    "HTML in disguise": ("summary.md.html", b"<p>", "is none"),
    "empty": ("summary.md", b"", "empty"),
    "white space": ("summary.txt", b" \n\t", "is empty"),
    "no PDF": ("summary.pdf", b"<html>%PDF-1.7", "does not begin as a PDF does"),
    "Latin-1": ("summary.txt", "Übersicht".encode("latin-1"), "not text in UTF-8: byte 1 does not fit"),
    "UTF-16": ("summary.txt", "Übersicht".encode("utf-16"), "not text in UTF-8"),
    "NUL": ("summary.md", b"a\0b", "bytes that are no text"),
    "long text": ("summary.md", b"x" * (200 * 1024 + 1), "at most 200 kB"),
    "long PDF": ("summary.pdf", b"%PDF-" + b"x" * (10 << 20), "at most 10 MB"),
    "long name": ("a" * 210 + ".md", b"x", "longer than"),
}


@pytest.mark.parametrize("kind", BAD)
def test_anything_else_is_refused_with_a_sentence(send, kind):
    name, data, sentence = BAD[kind]
    status, page = send(name, data)
    assert status == 422
    assert sentence in page
    assert 'role="alert"' in page
    assert not Submission.objects.exists()


def test_two_files_are_refused(post):
    files = [SimpleUploadedFile("a.md", b"a"), SimpleUploadedFile("b.md", b"b")]
    response, page = post({"files": files})
    assert response.status_code == 422
    assert "A summary is one file" in page


def test_a_byte_order_mark_does_no_harm(send):
    send("summary.txt", b"\xef\xbb\xbfText.")
    assert read_upload(Submission.objects.get()).text == "Text."


def test_a_file_that_is_called_like_an_item_is_still_a_file(send):
    send("1-problem.md", b"All of it.")
    made = Submission.objects.get()
    assert read_texts(made) == {}
    assert read_upload(made).text == "All of it."


def test_an_upload_leaves_the_draft_alone(save, send):
    save(fields(problem="still mine"))
    send("summary.md", b"All of it.")
    assert Draft.objects.get().cells["problem"] == "still mine"
