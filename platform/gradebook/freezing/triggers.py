"""A snapshot never changes, in the database, too: triggers refuse whatever would change, delete or empty its rows.

Two changes are let through: a freeze that stands is lifted, once; and a person who is deleted leaves the rows without their name's link.
A migration that makes SQLite write the table anew (most changes of a column do) loses the triggers and must install them again.
"""

from __future__ import annotations

TABLE = "gradebook_snapshot"
FUNCTION = "snapshot_append_only"
KEPT = ("id", "offering_id", "final", "sha256", "data", "note", "taken_at")
LIFT = ("lifted_at", "lift_reason")
PEOPLE = ("taken_by_id", "lifted_by_id")
SENTENCE = "A snapshot of grades is never changed or deleted."

_KEPT = " AND ".join(f'NEW."{column}" IS OLD."{column}"' for column in KEPT)
_SAME_LIFT = " AND ".join(f'NEW."{column}" IS OLD."{column}"' for column in LIFT)
_TAKEN_BY = '(NEW."taken_by_id" IS OLD."taken_by_id" OR NEW."taken_by_id" IS NULL)'
_LIFTED_BY = '(NEW."lifted_by_id" IS OLD."lifted_by_id" OR NEW."lifted_by_id" IS NULL)'
_IS_LIFTED = 'OLD."final" AND OLD."lifted_at" IS NULL AND NEW."lifted_at" IS NOT NULL AND NEW."lift_reason" <> \'\''
ALLOWED = f"{_KEPT} AND {_TAKEN_BY} AND (({_SAME_LIFT} AND {_LIFTED_BY}) OR ({_IS_LIFTED}))"

_ABORT = f"BEGIN SELECT RAISE(ABORT, '{SENTENCE}'); END"
_SQLITE = (
    f"CREATE TRIGGER snapshot_never_deleted BEFORE DELETE ON {TABLE} {_ABORT}",
    f"CREATE TRIGGER snapshot_never_changed BEFORE UPDATE ON {TABLE} WHEN NOT ({ALLOWED}) {_ABORT}",
)
_SQLITE_OFF = ("DROP TRIGGER IF EXISTS snapshot_never_deleted", "DROP TRIGGER IF EXISTS snapshot_never_changed")
# NEW and OLD have no columns where a whole table is emptied, so they are looked at inside
_POSTGRESQL = (
    f"""CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF {ALLOWED.replace(" IS OLD.", " IS NOT DISTINCT FROM OLD.")} THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION '{SENTENCE}';
END $$""",
    f"CREATE TRIGGER snapshot_never_changed BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION {FUNCTION}()",
    f"CREATE TRIGGER snapshot_never_emptied BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}()",
)
_POSTGRESQL_OFF = (f"DROP FUNCTION IF EXISTS {FUNCTION}() CASCADE",)  # its triggers go with it

# by the database's kind, in the order in which they run
INSTALL = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}
REMOVE = {"sqlite": _SQLITE_OFF, "postgresql": _POSTGRESQL_OFF}
