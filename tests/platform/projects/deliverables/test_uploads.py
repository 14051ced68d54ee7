"""What is taken and what is not: each refusal names the file, or the member of the zip, and says what to do."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile

import pytest

from projects.deliverables.uploads import PDF_MAX_MB, ZIP_MAX_MB, check_code, check_pdf, check_url
from projects.deliverables.zips import MEMBERS_MAX
from submissions.services import IncomingFile, SubmissionRefused


def pdf(name: str = "report.pdf", data: bytes = b"%PDF-1.7\n%%EOF\n") -> IncomingFile:
    return IncomingFile(name, data)


def packed(*members: tuple[str | zipfile.ZipInfo, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def refusal(data: bytes, name: str = "code.zip") -> str:
    with pytest.raises(SubmissionRefused) as refused:
        check_code(IncomingFile(name, data))
    assert name in str(refused.value)
    return str(refused.value)


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def test_a_pdf_is_taken_as_it_is():
    assert check_pdf(pdf("Report.PDF")).data.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (None, "No PDF was chosen"),
        (pdf("report.docx"), "report.docx does not end in .pdf"),
        (pdf("", b"%PDF-"), "This file does not end in .pdf"),
        (pdf(data=b""), "report.pdf is empty"),
        (pdf(data=b"<html><script>alert(1)</script>"), "report.pdf does not begin as a PDF does"),
        (pdf(data=b" %PDF-1.7"), "report.pdf does not begin as a PDF does"),
        (pdf("a" * 200 + ".pdf"), "longer than 200 characters"),
    ],
)
def test_what_is_no_pdf_is_refused_by_its_name(file, said):
    with pytest.raises(SubmissionRefused, match=said):
        check_pdf(file)


def test_a_large_pdf_is_told_its_size_and_the_limit():
    check_pdf(pdf(data=b"%PDF-" + bytes((PDF_MAX_MB << 20) - 5)))
    with pytest.raises(SubmissionRefused, match=f"report.pdf has 20.0 MB; at most {PDF_MAX_MB} MB"):
        check_pdf(pdf(data=b"%PDF-" + bytes((PDF_MAX_MB << 20) - 4)))


def test_an_ordinary_zip_is_taken():
    data = packed(("code/", b""), ("code/run.py", b"print(1)\n"), ("code/données.csv", b"1,2\n" * 1000))
    assert check_code(IncomingFile("code.zip", data)).data == data
    check_code(IncomingFile("code.zip", packed(("a.bin", os.urandom(1000)), packing=zipfile.ZIP_STORED)))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../up.py", "“../up.py”, which lies outside"),
        ("code/../../up.py", "lies outside"),
        ("code\\..\\..\\up.py", "lies outside"),
        ("/etc/passwd", "“/etc/passwd”, which has an absolute path"),
        ("\\\\server\\share", "has an absolute path"),
        ("C:/windows/a.dll", "has an absolute path"),
        ("a\nb.py", "has control characters"),
        ("n" * 301, "has a name of more than 300 characters"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name, said):
    assert said in refusal(packed(("fine.py", b""), (name, b"x")))


def test_a_name_that_ends_at_a_nul_for_us_is_not_trusted():
    data = packed(("code/fine.pyX../../up", b"x")).replace(b"fine.pyX", b"fine.py\0")
    assert "has control characters" in refusal(data)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (stat.S_IFLNK | 0o777, "is a symbolic link"),
        (stat.S_IFCHR | 0o666, "is neither a file nor a folder"),
        (stat.S_IFIFO | 0o666, "is neither a file nor a folder"),
    ],
)
def test_links_and_devices_are_refused(mode, said):
    assert f"“code/odd”, which {said}" in refusal(packed(("a.py", b""), (special("code/odd", mode), b"/etc/passwd")))


def test_a_member_that_is_there_twice_is_refused():
    with pytest.warns(UserWarning, match="Duplicate"):
        data = packed(("a.py", b"1"), ("a.py", b"2"))
    assert "“a.py”, which is there twice" in refusal(data)


def test_an_encrypted_member_is_refused():
    data = bytearray(packed(("secret.py", b"x")))
    at = data.find(b"PK\x01\x02")
    data[at + 8] |= 1
    assert "“secret.py”, which is encrypted" in refusal(bytes(data))


def test_too_many_members_are_refused_before_they_are_read():
    many = packed(*((f"d/{n}", b"") for n in range(MEMBERS_MAX + 1)))
    assert "more than the 2,000 files" in refusal(many)
    check_code(IncomingFile("code.zip", packed(*((f"d/{n}", b"") for n in range(MEMBERS_MAX)))))
    long_list = packed(*((f"{n:04}-" + "x" * 500, b"") for n in range(MEMBERS_MAX)))
    assert "more than the 2,000 files" in refusal(long_list)


def test_a_bomb_is_refused_by_what_it_says_of_itself():
    bomb = packed(*((f"{n}.bin", bytes(30 << 20)) for n in range(7)))
    assert len(bomb) < 1 << 20
    assert "would unpack to 210 MB; at most 200 MB" in refusal(bomb)


def test_a_bomb_that_lies_about_its_sizes_is_refused():
    data = bytearray(packed(("zeros.bin", bytes(1 << 20))))
    at = data.find(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 150 << 20)
    assert "“zeros.bin”, whose size cannot be true" in refusal(bytes(data))


def test_members_that_share_their_bytes_are_refused():
    data = bytearray(packed(("one.bin", bytes(1000)), ("two.bin", bytes(1000))))
    second = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 1)
    struct.pack_into("<I", data, second + 42, 0)
    assert "whose data lies inside of another file's" in refusal(bytes(data))


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7", b"PK\x05\x06", b"PK\x03\x04" + bytes(100), packed(("a", b"1"))[:-10], packed(("a", b"1" * 99))[60:]],
    # a zip holds the time of its making, which would be part of the test's name
    ids=["a PDF", "an end alone", "a head alone", "no end", "no beginning"],
)
def test_what_is_no_whole_zip_is_refused(data):
    assert "no zip that can be read" in refusal(data)


def test_a_zip_of_folders_alone_holds_nothing():
    assert "holds no file" in refusal(packed(("code/", b""), ("code/empty/", b"")))
    assert "holds no file" in refusal(packed())


def test_a_zip_is_a_zip_by_name_and_size():
    assert "does not end in .zip" in refusal(packed(("a", b"1")), name="code.tar.gz")
    large = packed(("a", os.urandom((ZIP_MAX_MB << 20) + 1)), packing=zipfile.ZIP_STORED)
    assert "at most 10 MB are taken" in refusal(large)


@pytest.mark.parametrize("url", ["https://github.com/you/project", "http://git.example.edu:3000/a/b?x=1", ""])
def test_an_address_on_the_web_is_kept(url):
    assert check_url(f"  {url} ") == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("javascript:alert(1)", "no address on the web"),
        ("data:text/html,<script>", "no address on the web"),
        ("ftp://example.edu/a", "no address on the web"),
        ("file:///etc/passwd", "no address on the web"),
        ("github.com/you/project", "no address on the web"),
        ("git@github.com:you/project.git", "no address on the web"),
        ("https://[::1", "no address on the web"),
        ("https://example.edu/a b", "no address on the web"),
        ("https://you:secret@github.com/you/project", "holds a user name or a password"),
        ("https://token@github.com/you/project", "holds a user name or a password"),
        ("https://example.edu/" + "a" * 500, "longer than 500 characters"),
    ],
)
def test_any_other_address_is_refused(url, said):
    with pytest.raises(SubmissionRefused, match=said):
        check_url(url)
