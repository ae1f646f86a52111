"""A store moves forward through its schemas, whatever version it was left in."""

import sqlite3
from pathlib import Path

import pytest

from lamplighter.adapters.database import Database
from lamplighter.model.errors import EnvironmentFault

FIRST = ("CREATE TABLE notes(text TEXT)", "INSERT INTO notes VALUES ('kept')")
SECOND = ("ALTER TABLE notes ADD COLUMN more TEXT DEFAULT 'new'",)


def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    """A store of the first schema gets the second; what it held stays; opening again changes nothing."""
    path = tmp_path / "store.sqlite"
    Database(path, (FIRST,)).close()
    for _ in range(2):
        database = Database(path, (FIRST, SECOND))
        assert [("kept", "new")] == database.rows("SELECT text, more FROM notes")
        database.close()


def test_an_older_store_is_read_as_the_newer_one_and_stays_as_it_is(tmp_path: Path) -> None:
    """Whoever only looks sees the newest schema; the file stays as a writer of an older version left it."""
    path = tmp_path / "store.sqlite"
    Database(path, (FIRST,)).close()
    before = path.read_bytes()
    looking = Database(path, (FIRST, SECOND), read_only=True)
    assert [("kept", "new")] == looking.rows("SELECT text, more FROM notes")
    looking.close()
    assert before == path.read_bytes()


def test_a_migration_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    """A migration is all or nothing."""
    path = tmp_path / "store.sqlite"
    Database(path, (FIRST,)).close()
    with pytest.raises(EnvironmentFault):
        Database(path, (FIRST, (*SECOND, "NONSENSE")))
    assert [("kept",)] == sqlite3.connect(path).execute("SELECT * FROM notes").fetchall()


def test_a_file_that_is_no_store_is_an_error_with_a_mend(tmp_path: Path) -> None:
    """A file of something else is named and left alone."""
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(EnvironmentFault) as caught:
        Database(path, (FIRST,))
    assert "store-damaged" == caught.value.code
    assert path.read_bytes().startswith(b"not a database")


def test_a_missing_store_cannot_be_read(tmp_path: Path) -> None:
    """Reading makes no file."""
    with pytest.raises(EnvironmentFault):
        Database(tmp_path / "store.sqlite", (FIRST,), read_only=True)
    assert [] == list(tmp_path.iterdir())


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    """What a transaction wrote before it failed is not there."""
    database = Database(tmp_path / "store.sqlite", (FIRST,))

    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO notes VALUES ('lost')")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert [("kept",)] == database.rows("SELECT text FROM notes")
