"""What students and others could post: each gets a sentence, nothing is stored, and no page breaks."""

from __future__ import annotations

import io
import json
import re
import stat
import struct
import zipfile
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from grading.models import GradingJob
from submissions.models import PracticeRun, Submission, SubmittedFile
from tests.factories import RIGHT
from tests.support import notebook_of

pytestmark = pytest.mark.django_db


def zip_of(*members: tuple[str, bytes], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def zip_with_many_entries(count: int) -> bytes:
    """A central directory that repeats one member `count` times; few bytes each, all of them pointing at the same data."""
    one = zip_of(("a.py", b"1"))
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry = one[start:end]
    directory = entry * count
    tail = b"PK\x05\x06" + struct.pack(
        "<HHHHIIH", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), len(directory), start, 0
    )
    return one[:start] + directory + tail


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("work.py", b"#" * (200 << 20))
    return buffer.getvalue()


def notebook_json(**changes) -> bytes:
    return json.dumps(json.loads(notebook_of(RIGHT)) | changes).encode()


BAD: dict[str, Callable[[], list[tuple[str, bytes]]]] = {
    "no file": list,
    "empty file": lambda: [("work.ipynb", b"")],
    "30 MB notebook": lambda: [("work.ipynb", notebook_of("#" * (30 << 20)))],
    "truncated JSON": lambda: [("work.ipynb", notebook_of(RIGHT)[:-40])],
    "JSON that is no notebook": lambda: [("work.ipynb", b"[1, 2, 3]")],
    "nbformat 2": lambda: [("work.ipynb", notebook_json(nbformat=2))],
    "nbformat 99": lambda: [("work.ipynb", notebook_json(nbformat=99))],
    "nbformat that is text": lambda: [("work.ipynb", notebook_json(nbformat="four"))],
    "no cells": lambda: [("work.ipynb", notebook_json(cells=None))],
    "deep JSON": lambda: [("work.ipynb", b"[" * 100_000)],
    "not UTF-8": lambda: [("work.py", b"\xff\xfe\x00")],
    "not Python": lambda: [("work.py", b"def add(:\n")],
    "a shell command": lambda: [("work.ipynb", notebook_of("!curl https://example.com"))],
    "a banned import": lambda: [("work.py", b"import torch\n")],
    "another kind": lambda: [("work.exe", b"MZ")],
    "two programs": lambda: [("a.py", RIGHT.encode()), ("b.py", RIGHT.encode())],
    "hidden file": lambda: [(".py", RIGHT.encode())],
    "zip: upwards": lambda: [("work.zip", zip_of(("../x.py", RIGHT.encode())))],
    "zip: absolute": lambda: [("work.zip", zip_of(("/etc/x.py", RIGHT.encode())))],
    "zip: drive": lambda: [("work.zip", zip_of(("C:\\x.py", RIGHT.encode())))],
    "zip: newline": lambda: [("work.zip", zip_of(("a\nb.py", RIGHT.encode())))],
    "zip: link": lambda: [("work.zip", zip_of(("work.py", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777))],
    "zip: same name twice": lambda: [("work.zip", zip_of(("a.py", b"1"), ("A.py", b"2")))],
    "zip: zip inside": lambda: [("work.zip", zip_of(("b.zip", zip_of(("work.py", RIGHT.encode())))))],
    "zip: 300,000 entries": lambda: [("work.zip", zip_with_many_entries(300_000))],
    "zip: bomb": lambda: [("work.zip", bomb())],
    "zip: nothing inside": lambda: [("work.zip", zip_of())],
    "zip: not a zip": lambda: [("work.zip", b"PK\x03\x04 no")],
}


def nothing_is_stored(files_dir) -> bool:
    rows = (model.objects.exists() for model in (Submission, SubmittedFile, PracticeRun, GradingJob))
    return not any(rows) and not files_dir.exists()


def refusal_on(page: str) -> str:
    found = re.search(r'role="alert">.*?<p>(.*?)</p>', page, re.DOTALL)
    assert found, "the page shows no refusal"
    return found[1]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("button", ["lab-submit", "lab-run"])
@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_a_sentence_and_nothing_is_stored(case, button, world, browser, files_dir):
    files = [SimpleUploadedFile(name, data) for name, data in BAD[case]()]
    url = reverse(button, args=[world.offering.slug, world.lab.slug])
    response = browser(world.student).post(url, {"files": files} if files else {})
    assert response.status_code == 422
    sentence = refusal_on(response.content.decode())
    assert sentence.endswith((".", "!", "?"))
    assert len(sentence.split()) >= 4
    assert "Traceback" not in sentence
    assert str(world.lab.lab.folder) not in sentence
    assert nothing_is_stored(files_dir)


@pytest.mark.parametrize(
    "name", ["a\nb.py", "a\r\nContent-Length: 0.py", "../../x.py", "x\u202ecod.py", "<script>.py", "C:\\x.py"]
)
def test_a_strange_name_never_leaves_its_place(name, world, browser, files_dir):
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    file = SimpleUploadedFile("work.py", RIGHT.encode())
    file.name = name
    response = browser(world.student).post(url, {"files": [file]})
    assert response.status_code in {302, 422}
    for stored in SubmittedFile.objects.all():
        assert "/" not in stored.name
        assert stored.name.isprintable()
        page = browser(world.student).get(reverse("submission-receipt", args=[stored.submission_id]))
        assert b"<script>.py" not in page.content
        download = browser(world.student).get(reverse("submission-file", args=[stored.submission_id, stored.pk]))
        assert "\n" not in download.headers["Content-Disposition"]
        assert b"".join(download.streaming_content) == RIGHT.encode()


def test_after_the_deadline_the_page_says_so(world, browser, at, files_dir):
    at(world.lab.due_at.replace(year=world.lab.due_at.year + 1))
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    response = browser(world.student).post(url, {"files": [SimpleUploadedFile("work.py", RIGHT.encode())]})
    assert response.status_code == 422
    assert "was due" in refusal_on(response.content.decode())
    assert nothing_is_stored(files_dir)


@pytest.mark.parametrize("who", ["stranger", "other_student", "dropped", "other_instructor"])
def test_a_lab_of_another_offering_takes_nothing(who, world, browser, files_dir):
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    response = browser(getattr(world, who)).post(url, {"files": [SimpleUploadedFile("work.py", RIGHT.encode())]})
    assert response.status_code == 404
    assert nothing_is_stored(files_dir)


def test_a_request_above_the_cap_gets_413_and_a_page(world, browser, files_dir, settings):
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    file = SimpleUploadedFile("work.ipynb", b" " * (settings.REQUEST_MAX_BYTES + 1))
    response = browser(world.student).post(url, {"files": [file]})
    assert response.status_code == 413
    assert b"32 MB" in response.content
    assert nothing_is_stored(files_dir)


def test_too_many_fields_are_a_bad_request_with_a_page(world, browser, files_dir, settings):
    url = reverse("lab-draft", args=[world.offering.slug, world.lab.slug])
    many = {f"cell-{n}": "1" for n in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)}
    response = browser(world.student).post(url, many)
    assert response.status_code == 400
    assert b"<h1" in response.content


@pytest.mark.parametrize("revision", ["", "-1", "x", "9" * 400, "1.5", "٣"])
def test_a_revision_that_is_no_number_breaks_nothing(revision, world, browser):
    url = reverse("lab-draft", args=[world.offering.slug, world.lab.slug])
    assert browser(world.student).post(url, {"revision": revision, "cell-x": "1"}).status_code in {302, 409}


def test_a_refused_post_of_htmx_gets_the_sentence_alone(world, browser, files_dir):
    url = reverse("lab-run", args=[world.offering.slug, world.lab.slug])
    response = browser(world.student).post(url, {}, headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert response.headers["HX-Retarget"] == "#refusal"
    assert b"<html" not in response.content


def test_the_editors_text_comes_back_after_a_refusal(world, browser, at):
    from grader.api import notebook_cells

    key = next(cell.key for cell in notebook_cells(world.lab.lab.folder) if cell.kind == "solution")
    at(world.lab.due_at.replace(year=world.lab.due_at.year + 1))
    url = reverse("lab-submit", args=[world.offering.slug, world.lab.slug])
    response = browser(world.student).post(url, {f"cell-{key}": "my_precious_text = 1\r\n", "revision": "0"})
    assert response.status_code == 422
    assert b"my_precious_text" in response.content
