"""The trail is append-only in the database, too: triggers refuse whatever would change, delete or empty its rows.

One change is let through: a person who is deleted leaves the row without its `actor`, and with the name.
A migration that makes SQLite write the table anew (most changes of a column do) loses the triggers and must install them again.
"""

from __future__ import annotations

TABLE = "audit_auditevent"
FUNCTION = "audit_append_only"
COLUMNS = (
    "id",
    "at",
    "actor_name",
    "action",
    "subject_type",
    "subject_id",
    "offering_id",
    "before",
    "after",
    "reason",
)
SENTENCE = "An audit event is never changed or deleted."

_SQLITE = (
    f"CREATE TRIGGER audit_never_deleted BEFORE DELETE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END",
    f"CREATE TRIGGER audit_never_changed BEFORE UPDATE ON {TABLE} WHEN NOT (NEW.actor_id IS NULL AND "
    + " AND ".join(f'NEW."{column}" IS OLD."{column}"' for column in COLUMNS)
    + f") BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END",
)
_SQLITE_OFF = ("DROP TRIGGER IF EXISTS audit_never_deleted", "DROP TRIGGER IF EXISTS audit_never_changed")
# NEW and OLD have no columns where a whole table is emptied, so they are looked at inside
_POSTGRESQL = (
    f"""CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.actor_id IS NULL AND to_jsonb(NEW) - 'actor_id' = to_jsonb(OLD) - 'actor_id' THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION '{SENTENCE}';
END $$""",
    f"CREATE TRIGGER audit_never_changed BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION {FUNCTION}()",
    f"CREATE TRIGGER audit_never_emptied BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()",
)
_POSTGRESQL_OFF = (f"DROP FUNCTION IF EXISTS {FUNCTION}() CASCADE",)  # its triggers go with it

# by the database's kind, in the order in which they run
INSTALL = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
REMOVE = {"sqlite": _SQLITE_OFF, "postgresql": _POSTGRESQL_OFF}
