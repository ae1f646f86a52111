"""The ledger shows every change that was made to it behind its back."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lamplighter.adapters.clock import VirtualClock
from lamplighter.adapters.ledger import GENESIS, SqliteLedger, anchors, digest_of
from lamplighter.ports import LedgerEntry, LedgerLine

Tamper = Callable[[sqlite3.Connection], object]


def fill(ledger: SqliteLedger, lines: int = 9) -> None:
    """Append some lines; the ledger's own first entry comes before them."""
    for number in range(lines):
        ledger.append("decision", f"a-{number}", {"pass": number, "why": "because"})


def tampered(ledger: SqliteLedger, tamper: Tamper) -> None:
    """Change the file as somebody would who knows SQL: the triggers are gone first."""
    other = sqlite3.connect(ledger.database.path)
    other.execute("DROP TRIGGER entries_stay")
    other.execute("DROP TRIGGER entries_stand")
    tamper(other)
    other.commit()
    other.close()


def swap(connection: sqlite3.Connection) -> None:
    """Exchange entries 4 and 5."""
    for old, new in ((4, -1), (5, 4), (-1, 5)):
        connection.execute("UPDATE entries SET number = ? WHERE number = ?", (new, old))


def forge(connection: sqlite3.Connection, number: int) -> None:
    """Change an entry and give it the digest that goes with its new content."""
    columns = "number, at, wall, kind, subject, body, previous, digest"
    row = connection.execute(f"SELECT {columns} FROM entries WHERE number = ?", (number,)).fetchone()  # noqa: S608
    fields = dict(zip(columns.split(", "), row, strict=True)) | {"body": {"why": "forged"}}
    digest = digest_of(msgspec.convert(fields, type=LedgerEntry))
    connection.execute(
        "UPDATE entries SET body = ?, digest = ? WHERE number = ?", ('{"why":"forged"}', digest, number)
    )


def test_entries_are_chained_from_the_first(ledger: SqliteLedger) -> None:
    """Each entry names the digest of the one before; the first one opens the ledger."""
    fill(ledger, 3)
    entries = list(ledger.entries())
    assert ["opened", "decision", "decision", "decision"] == [each.kind for each in entries]
    assert [GENESIS, *[each.digest for each in entries[:-1]]] == [each.previous for each in entries]


def test_an_untouched_ledger_verifies(ledger: SqliteLedger) -> None:
    """Nothing is found where nothing was done."""
    fill(ledger)
    found = ledger.verify()
    assert (10, None) == (found.entries, found.damage)


@pytest.mark.parametrize(
    ("tamper", "kind", "number"),
    [
        (lambda it: it.execute("UPDATE entries SET body = '{}' WHERE number = 4"), "edited", 4),
        (lambda it: it.execute("UPDATE entries SET wall = 'never' WHERE number = 7"), "edited", 7),
        (lambda it: it.execute("UPDATE entries SET body = 'no json' WHERE number = 7"), "edited", 7),
        (lambda it: it.execute("DELETE FROM entries WHERE number = 5"), "missing", 5),
        (lambda it: it.execute("DELETE FROM entries WHERE number = 1"), "missing", 1),
        (lambda it: it.execute("DELETE FROM entries WHERE number > 8"), "cut", 9),
        (swap, "edited", 4),
        (lambda it: forge(it, 6), "reordered", 7),
    ],
)
def test_a_change_is_found_and_its_entry_named(
    ledger: SqliteLedger, tamper: Tamper, kind: str, number: int
) -> None:
    """An edit, a deletion, a cut tail, a swap and a forged digest each show, with the entry."""
    fill(ledger)
    tampered(ledger, tamper)
    damage = ledger.verify().damage
    assert damage is not None
    assert (kind, number) == (damage.kind, damage.number)


def test_a_tail_cut_with_its_traces_shows_against_the_anchors(ledger: SqliteLedger, tmp_path: Path) -> None:
    """Somebody who also resets the count of numbers is betrayed by the anchor."""
    fill(ledger)
    ledger.anchor(tmp_path / "anchors")
    tampered(
        ledger,
        lambda it: it.executescript(
            "DELETE FROM entries WHERE number > 8; UPDATE sqlite_sequence SET seq = 8 WHERE name = 'entries'"
        ),
    )
    assert ledger.verify().damage is None
    damage = ledger.verify(anchors(tmp_path / "anchors")).damage
    assert damage is not None
    assert ("cut", 9) == (damage.kind, damage.number)


def test_a_ledger_written_anew_shows_against_the_anchors(
    ledger: SqliteLedger, tmp_path: Path, clock: VirtualClock
) -> None:
    """Another ledger with a sound chain is not the one that was anchored."""
    fill(ledger)
    ledger.anchor(tmp_path / "anchors")
    other = SqliteLedger.open(tmp_path / "other.sqlite", clock)
    fill(other)
    damage = other.verify(anchors(tmp_path / "anchors")).damage
    assert damage is not None
    assert "rewritten" == damage.kind


def test_the_head_is_anchored_once(ledger: SqliteLedger, tmp_path: Path) -> None:
    """A head that has not moved is not anchored again; a torn line is passed over."""
    path = tmp_path / "anchors"
    fill(ledger)
    assert ledger.anchor(path) is not None
    assert ledger.anchor(path) is None
    with path.open("a") as file:
        file.write("11 abc")
    assert [10] == [each.number for each in anchors(path)]
    assert 10 == ledger.verify(anchors(path)).anchored


def test_a_ledger_cannot_be_changed_in_passing(ledger: SqliteLedger) -> None:
    """A plain UPDATE or DELETE is refused by the file itself."""
    fill(ledger)
    other = sqlite3.connect(ledger.database.path)
    for statement in ("DELETE FROM entries", "UPDATE entries SET kind = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)


def test_several_lines_are_all_or_none(ledger: SqliteLedger) -> None:
    """A line that cannot be encoded leaves none of its companions behind."""
    fill(ledger, 1)
    good, bad = (LedgerLine(kind="k", subject="s", body={"x": each}) for each in (1, object()))
    with pytest.raises(TypeError):
        ledger.extend([good, bad])
    assert 2 == len(list(ledger.entries()))


def test_two_writers_make_one_chain(ledger: SqliteLedger, clock: VirtualClock) -> None:
    """Each entry follows on the newest, whoever wrote that."""
    other = SqliteLedger.open(ledger.database.path, clock)
    for _ in range(5):
        ledger.append("a", "s", {})
        other.append("b", "s", {})
    assert (11, None) == (ledger.verify().entries, ledger.verify().damage)
