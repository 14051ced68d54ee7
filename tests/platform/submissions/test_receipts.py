"""The signed receipt: what it states, that no part of it can be changed, and what is said when the database lost the submission."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from grading.models import GradeReport, GradingJob
from submissions import receipts, storage
from submissions.issuing import Standing, check_code, check_text
from submissions.models import SignedReceipt, Submission, SubmittedFile
from submissions.receipts import NotGenuine
from tests.factories import RIGHT, WRONG, chicago, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def receipt(world) -> str:
    return submit(world.lab, world.student).signed_receipt.text


def lose_everything() -> None:
    """What a restore of an older backup does: the rows are gone, and their numbers come again."""
    first = Submission.objects.order_by("pk").first().pk  # what other tests left, numbers come after
    for model in (GradeReport, GradingJob, SignedReceipt, SubmittedFile, Submission):
        model.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = 'submissions_submission'", [first - 1])


def test_it_states_times_hashes_sizes_number_assignment_and_place_in_the_queue(world, at, settings):
    settings.SITE_URL = "https://gradlab.example.edu"
    now = chicago(2026, 2, 18, 19, 41, 7)
    world.lab.opens_at, world.lab.due_at = now - timedelta(days=1), now + timedelta(days=1)
    world.lab.save()
    at(now)
    submit(world.lab, world.classmate)
    submission = submit(world.lab, world.student)
    stated = json.loads(submission.signed_receipt.text)
    assert stated["received_at"] == "2026-02-19T01:41:07Z"
    assert stated["received_here"] == "Wed 18 Feb 2026, 19:41:07 CST (America/Chicago)"
    assert stated["due_at"] == "2026-02-20T01:41:07Z"
    assert (stated["submission"], stated["attempt"], stated["late"]) == (submission.pk, 1, False)
    assert (stated["assignment"], stated["student"]) == (world.lab.label, "Ada Lindqvist")
    assert stated["waiting_ahead"] == 1
    sha256 = hashlib.sha256(RIGHT.encode()).hexdigest()
    assert stated["files"] == [{"name": "work.py", "size": len(RIGHT.encode()), "sha256": sha256}]
    assert stated["check_at"] == f"https://gradlab.example.edu/r/{stated['code']}/"


def test_a_run_of_the_checks_is_not_ahead_of_a_submission(world):
    from tests.factories import practice

    practice(world.lab, world.classmate)
    assert json.loads(submit(world.lab, world.student).signed_receipt.text)["waiting_ahead"] == 0


def test_it_is_genuine_and_there(receipt):
    finding = check_text(receipt)
    assert (finding.genuine, finding.standing) == (True, Standing.PRESENT)
    assert finding.statement.student == "Ada Lindqvist"


def changed_values(node, path=()):
    """Every way to another value at one place of the receipt."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from changed_values(value, (*path, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from changed_values(value, (*path, place))
    elif isinstance(node, bool):
        yield path, not node
    else:
        yield path, node + 1 if isinstance(node, int) else node[:-1] + ("0" if node[-1] != "0" else "1")


def test_no_value_can_be_changed(receipt):
    places = list(changed_values(json.loads(receipt)))
    assert len(places) == 20
    for path, value in places:
        stated = json.loads(receipt)
        node = stated
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value
        with pytest.raises(NotGenuine):
            receipts.read(json.dumps(stated, indent=2, ensure_ascii=False))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"late"', '"late": true, "late"'),  # people read the first, programs the last
        lambda text: text.replace('"late"', '"score": 100, "late"'),
        lambda text: text.replace('"size"', '"sice"'),
        lambda text: text.replace(": false", ": 0"),
        lambda text: text.replace('"attempt": 1', '"attempt": 1.0'),
        lambda text: text.replace("Ada", "\\u0041da"),
        lambda text: text[: len(text) // 2],
        lambda text: text + text,
        lambda _: "",
        lambda _: "{}",
        lambda _: "[" * 10_000 + "{" * 10_000 + "}",
        lambda _: "x" * (receipts.MAX_CHARS + 1),
        lambda _: '{"a": "\ud800"}',
    ],
)
def test_what_is_not_as_we_wrote_it_is_not_genuine(receipt, change):
    assert change(receipt) != receipt
    finding = check_text(change(receipt))
    assert not finding.genuine
    assert finding.sentence.startswith("This is not a genuine receipt. ")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: f"Dear Priya,\r\n\r\nhere it is:\r\n{text}\r\nAda\r\n",
        lambda text: "".join(f"> > {line}\n" for line in text.splitlines()),
        lambda text: json.dumps(json.loads(text), ensure_ascii=False),
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_a_mail_around_it_and_other_white_space_do_no_harm(receipt, wrap):
    assert check_text(wrap(receipt)).genuine


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0b"])
def test_a_title_with_one_of_the_rarer_line_ends_spoils_no_receipt(world, end):
    world.lab.title = f"AutoDiff{end}in two parts"
    world.lab.save()
    text = submit(world.lab, world.student).signed_receipt.text
    quoted = "".join(f"> {line}\n" for line in text.split("\n"))
    assert check_text(text).standing == check_text(quoted).standing == Standing.PRESENT


def test_names_of_all_kinds_are_signed_as_they_are(world):
    world.student.user.name = "Zoë “Z” Łuk : 吴\\"
    world.student.user.save()
    assert check_text(submit(world.lab, world.student).signed_receipt.text).statement.student == "Zoë “Z” Łuk : 吴\\"


def test_a_new_key_signs_and_the_old_one_still_verifies(world, receipt, settings):
    first = settings.RECEIPT_KEY or settings.SECRET_KEY
    settings.RECEIPT_KEY, settings.RECEIPT_OLD_KEYS = "k" * 50, [first]
    assert check_text(receipt).genuine
    new = submit(world.lab, world.student).signed_receipt.text
    assert json.loads(new)["signature"]["key"] == receipts.key_id("k" * 50)
    settings.RECEIPT_OLD_KEYS = []
    assert check_text(new).genuine
    finding = check_text(receipt)
    assert not finding.genuine
    assert "does not know" in finding.sentence


def test_another_installation_cannot_sign_ours(receipt, settings):
    forged = json.loads(receipt)
    settings.RECEIPT_KEY = "attacker" * 6
    theirs = json.loads(receipts.sign(receipts.stated(receipt)))["signature"]["hmac_sha256"]
    settings.RECEIPT_KEY = ""
    forged["signature"]["hmac_sha256"] = theirs
    assert "something in it was changed" in check_text(json.dumps(forged)).sentence


def test_after_a_restore_it_proves_what_the_database_lost(world, receipt):
    lose_everything()
    finding = check_text(receipt)
    assert (finding.genuine, finding.standing) == (True, Standing.MISSING)
    assert "genuine, but this submission is not in the database" in finding.sentence


def test_a_number_that_was_given_again_is_another_submission(world, receipt):
    lose_everything()
    again = submit(world.lab, world.classmate, WRONG)
    assert again.pk == json.loads(receipt)["submission"]
    assert check_text(receipt).standing == Standing.MISSING


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Submission, {"sha256": "0" * 64}),
        (Submission, {"number": 7}),
        (Submission, {"late": True}),
        (SubmittedFile, {"sha256": "0" * 64}),
        (SubmittedFile, {"size": 1}),
    ],
)
def test_a_database_that_says_something_else_is_told(receipt, model, change):
    model.objects.update(**change)
    finding = check_text(receipt)
    assert (finding.genuine, finding.standing) == (True, Standing.DIFFERS)


def test_a_later_due_date_or_name_does_not_change_what_was_stated(world, receipt):
    world.lab.due_at += timedelta(days=3)
    world.lab.save()
    world.student.user.name = "Ada Byron"
    world.student.user.save()
    assert SignedReceipt.objects.get().text == receipt
    assert check_text(receipt).standing == Standing.PRESENT


def test_its_code_finds_it(receipt):
    assert check_code(json.loads(receipt)["code"]).standing == Standing.PRESENT
    assert check_code("0" * 20) is None


class TestCommand:
    def run(self, path, *options) -> str:
        out = io.StringIO()
        call_command("verify_receipt", str(path), *options, stdout=out)
        return out.getvalue()

    def test_a_genuine_receipt_is_told_with_its_files(self, receipt, tmp_path):
        (tmp_path / "receipt.json").write_text(receipt)
        said = self.run(tmp_path / "receipt.json", "--stored")
        assert said.startswith("This receipt is genuine, and the submission is in the database")
        assert "Ada Lindqvist <ada.lindqvist@example.edu>" in said
        assert "stored, whole" in said

    def test_a_changed_one_fails(self, receipt, tmp_path):
        (tmp_path / "receipt.json").write_text(receipt.replace("Ada", "Eve"))
        with pytest.raises(CommandError, match="not a genuine receipt"):
            self.run(tmp_path / "receipt.json")

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(CommandError, match=r"none\.json cannot be read"):
            self.run(tmp_path / "none.json")

    def test_a_lost_submission_is_told_and_its_bytes_may_still_be_there(self, receipt, tmp_path):
        (tmp_path / "receipt.json").write_text(receipt)
        lose_everything()
        said = self.run(tmp_path / "receipt.json")
        assert "genuine, but this submission is not in the database" in said
        assert "stored, whole" in said
        with pytest.raises(CommandError, match="not all stored"):
            self.run(tmp_path / "receipt.json", "--stored")

    def test_bytes_that_are_gone_or_damaged_are_told(self, receipt, tmp_path):
        (tmp_path / "receipt.json").write_text(receipt)
        file = storage.path(json.loads(receipt)["files"][0]["sha256"])
        file.write_bytes(b"rot")
        assert "not stored: The stored file" in self.run(tmp_path / "receipt.json")
        file.unlink()
        with pytest.raises(CommandError, match="not all stored"):
            self.run(tmp_path / "receipt.json", "--stored")
