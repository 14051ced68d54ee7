"""The database itself keeps the trail: whoever goes past the model is refused, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import AuditEvent
from audit.services import record
from audit.triggers import COLUMNS, SENTENCE, TABLE
from tests.databases import create
from tests.factories import UserFactory
from tests.postgres import Postgres

CHANGES = [
    f"UPDATE {TABLE} SET reason = 'another'",
    f"UPDATE {TABLE} SET actor_name = 'Somebody Else', actor_id = NULL",
    f"UPDATE {TABLE} SET at = '2020-01-01T00:00:00Z'",
    f"UPDATE {TABLE} SET before = 'nothing'",
    f"DELETE FROM {TABLE}",
]


@pytest.mark.django_db
class TestSqlite:
    @pytest.fixture(autouse=True)
    def event(self, world):
        return record(actor=world.ta.user, action="tested", subject=world.lab, offering_id=world.offering.pk)

    @pytest.mark.parametrize("statement", CHANGES)
    def test_a_statement_that_changes_the_trail_is_refused(self, statement):
        before = list(AuditEvent.objects.values())
        with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
            connection.cursor().execute(statement)
        assert list(AuditEvent.objects.values()) == before

    def test_a_queryset_is_refused_too(self, world):
        for act in (
            lambda: AuditEvent.objects.update(reason="another"),
            lambda: AuditEvent.objects.update(actor=world.student.user),
            lambda: AuditEvent.objects.all().delete(),
        ):
            with pytest.raises((DatabaseError, TypeError)), transaction.atomic():
                act()

    def test_a_person_can_be_deleted_and_the_name_stays(self, world):
        someone = UserFactory(name="Leaving Soon")
        record(actor=someone, action="tested", subject=world.lab, offering_id=None)
        someone.delete()
        event = AuditEvent.objects.get(actor_name="Leaving Soon")
        assert event.actor is None

    def test_the_triggers_stand_after_every_migration(self):
        """SQLite loses them where a migration writes the table anew."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
            found = dict(cursor.fetchall())
        assert set(found) == {"audit_never_deleted", "audit_never_changed"}
        columns = {field.column for field in AuditEvent._meta.concrete_fields} - {"actor_id"}
        assert columns == set(COLUMNS), "a new column is not guarded"


@pytest.fixture(scope="module")
def postgres(postgres_server: Postgres, migrated_postgres: str) -> Iterator[psycopg.Connection]:
    """A migrated database with one event, by someone."""
    url = create(postgres_server, "append_only", migrated_postgres)
    with psycopg.connect(url, autocommit=True) as opened:
        opened.execute(
            "INSERT INTO accounts_user (id, password, email, name, sort_name, is_active) "
            "VALUES (7, '', 'a@example.edu', 'Ada', 'Ada', true)"
        )
        opened.execute(
            f"INSERT INTO {TABLE} (at, actor_id, actor_name, action, subject_type, subject_id, before, after, reason) "
            "VALUES (now(), 7, 'Ada', 'tested', 'Assignment', 1, '', '', '')"
        )
        yield opened


@pytest.mark.parametrize("statement", [*CHANGES, f"TRUNCATE {TABLE}", f"UPDATE {TABLE} SET actor_id = 7, reason = 'x'"])
def test_postgresql_refuses_it_too(postgres, statement):
    before = postgres.execute(f"SELECT * FROM {TABLE}").fetchall()
    with pytest.raises(psycopg.Error, match=SENTENCE):
        postgres.execute(statement)
    assert postgres.execute(f"SELECT * FROM {TABLE}").fetchall() == before


def test_postgresql_lets_a_person_go(postgres):
    postgres.execute(f"UPDATE {TABLE} SET actor_id = NULL WHERE actor_id IN (7)")
    assert postgres.execute(f"SELECT actor_id, actor_name FROM {TABLE}").fetchall() == [(None, "Ada")]
