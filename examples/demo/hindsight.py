"""Looking back: the recording replayed in another process, with and without what was decided; the ledger."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
from examples.demo.record import Acted, Replayed
from examples.demo.watching import action, acts

from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.ports import LedgerEntry


def replayed(printed: str) -> Replayed:
    """Return what `lamp replay --json` came to."""
    whole = json.loads(printed)["report"]
    unlike = len(whole.get("unlike", ())) + len(whole.get("history_differs", ()))
    return Replayed(whole.get("passes", 0), whole.get("decisions", 0), unlike)


def decided_in(printed: str) -> list[str]:
    """Return the ids of all actions that `lamp replay --json` decided on, in order."""
    decisions = (each for one in json.loads(printed)["decided"] for each in one["decisions"])
    return [each["id"] for each in decisions if each["state"] == "act"]


def entries(printed: str) -> list[LedgerEntry]:
    """Return the entries that `lamp ledger --json` printed."""
    return [msgspec.json.decode(line, type=LedgerEntry) for line in printed.splitlines()]


def decided_by(ledger: list[LedgerEntry]) -> list[str]:
    """Return the ids of all actions that the ledger says were decided on, in order."""
    return [each.subject for each in ledger if each.kind == "decision" and each.body.get("state") == "act"]


def acted(ledger: list[LedgerEntry], began_wall: float) -> list[Acted]:
    """Return what was done to what serves, and why."""
    return [
        Acted(
            datetime.fromisoformat(each.wall).timestamp() - began_wall,
            str(each.body["controller"]),
            action(each.body),
            str(each.body["because"]),
        )
        for each in ledger
        if acts(each)
    ]


def without_decisions(recording: Path, copy: Path) -> None:
    """Copy a recording and delete from the copy all that was decided; what went into each pass is left."""
    with closing(sqlite3.connect(recording)) as whole, closing(sqlite3.connect(copy)) as another:
        whole.backup(another)
    bare = SqliteRecordings(copy)
    bare.forget_results()
    bare.close()
