"""The database itself keeps snapshots: whoever goes past the services is refused, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError

from gradebook.freezing.services import freeze, lift, take_snapshot
from gradebook.freezing.triggers import KEPT, LIFT, PEOPLE, SENTENCE, TABLE
from gradebook.models import Snapshot
from tests.databases import create
from tests.postgres import Postgres

CHANGES = [
    f"UPDATE {TABLE} SET data = '{{}}'",
    f"UPDATE {TABLE} SET sha256 = 'x'",
    f"UPDATE {TABLE} SET note = 'another'",
    f"UPDATE {TABLE} SET taken_at = '2020-01-01T00:00:00Z'",
    f"UPDATE {TABLE} SET final = NOT final",
    f"UPDATE {TABLE} SET lifted_at = '2026-01-01T00:00:00Z'",
    f"UPDATE {TABLE} SET lift_reason = 'without a moment'",
    f"UPDATE {TABLE} SET lifted_at = '2026-01-01T00:00:00Z', lift_reason = 'because', data = '{{}}'",
    f"DELETE FROM {TABLE}",
]


@pytest.mark.django_db
class TestSqlite:
    @pytest.fixture(autouse=True)
    def final(self, world):
        return freeze(offering=world.offering, by=world.instructor.user, note="final in spite of that")

    @pytest.mark.parametrize("statement", CHANGES)
    def test_a_statement_that_changes_a_snapshot_is_refused(self, statement):
        before = list(Snapshot.objects.values())
        with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
            connection.cursor().execute(statement)
        assert list(Snapshot.objects.values()) == before

    def test_a_lift_is_let_through_once(self, world, final):
        assert lift(snapshot=final, by=world.instructor.user, reason="a late regrade")
        for change in ({"lift_reason": "another"}, {"lifted_at": None}, {"lifted_by": world.ta.user}):
            with pytest.raises(DatabaseError), transaction.atomic():
                Snapshot.objects.update(**change)

    def test_what_freezes_nothing_cannot_be_lifted(self, world):
        kept = take_snapshot(offering=world.offering, by=world.instructor.user)
        with pytest.raises(DatabaseError), transaction.atomic():
            Snapshot.objects.filter(pk=kept.pk).update(lifted_at=kept.taken_at, lift_reason="because")

    def test_a_person_can_go_and_the_snapshot_stays(self, world, final):
        lift(snapshot=final, by=world.ta.user, reason="a late regrade")
        world.ta.user.delete()
        final.refresh_from_db()
        assert (final.lifted_by, final.lift_reason) == (None, "a late regrade")

    def test_an_offering_with_a_snapshot_stays(self, world):
        with pytest.raises(ProtectedError):
            world.offering.delete()

    def test_the_triggers_stand_after_every_migration(self):
        """SQLite loses them where a migration writes the table anew."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
            found = {name for (name,) in cursor.fetchall()}
        assert found == {"snapshot_never_deleted", "snapshot_never_changed"}
        columns = {field.column for field in Snapshot._meta.concrete_fields}
        assert columns == {*KEPT, *LIFT, *PEOPLE}, "a new column is not guarded"


@pytest.fixture(scope="module")
def postgres(postgres_server: Postgres, migrated_postgres: str) -> Iterator[psycopg.Connection]:
    """A migrated database with one final snapshot, by someone."""
    url = create(postgres_server, "never_changes", migrated_postgres)
    with psycopg.connect(url, autocommit=True) as opened:
        opened.execute(
            "INSERT INTO accounts_user (id, password, email, name, sort_name, is_active) "
            "VALUES (7, '', 'a@example.edu', 'Ada', 'Ada', true)"
        )
        opened.execute("INSERT INTO courses_course (id, code, title) VALUES (1, 'CS 1', 'One')")
        opened.execute(
            "INSERT INTO courses_offering (id, course_id, slug, term, starts_on, ends_on, time_zone, room, meets, institution, lms, "
            "tas_extend, regrade_window_days) VALUES (1, 1, 'one', 'Spring', '2026-01-20', '2026-05-20', 'America/Chicago', '', '', "
            "'', '', false, 7)"
        )
        opened.execute(
            f"INSERT INTO {TABLE} (offering_id, final, sha256, data, note, taken_at, taken_by_id, lift_reason) "
            "VALUES (1, true, 'x1', '{\"a\":1}', '', now(), 7, '')"
        )
        yield opened


@pytest.mark.parametrize("statement", [*CHANGES, f"TRUNCATE {TABLE}"])
def test_postgresql_refuses_it_too(postgres, statement):
    before = postgres.execute(f"SELECT * FROM {TABLE}").fetchall()
    with pytest.raises(psycopg.Error, match=SENTENCE):
        postgres.execute(statement)
    assert postgres.execute(f"SELECT * FROM {TABLE}").fetchall() == before


def test_postgresql_lets_a_freeze_be_lifted_and_a_person_go(postgres):
    postgres.execute(f"UPDATE {TABLE} SET lifted_at = now(), lift_reason = 'because', lifted_by_id = 7 WHERE final")
    with pytest.raises(psycopg.Error, match=SENTENCE):
        postgres.execute(f"UPDATE {TABLE} SET lifted_at = now()")
    postgres.execute(f"UPDATE {TABLE} SET taken_by_id = NULL, lifted_by_id = NULL")
    assert postgres.execute(f"SELECT taken_by_id, lift_reason FROM {TABLE}").fetchall() == [(None, "because")]
