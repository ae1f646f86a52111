"""A site that outlives its maintainers: replicas and everything that was ever applied stand in a file.

Small enough to be read at a glance; it loses a replica now and then, so that there is always something to do.
"""

import os
import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from lamplighter.model.actions import Action, Configure, Dismantle, Forget, Outcome, Replace, Scale, Shift
from lamplighter.model.facts import SOURCES, Exit, Facts, Load, Phase, Replica, Source
from lamplighter.model.value import digest, encode
from lamplighter.ports import Clock, LogLine, Scope

LOSES = "SITE_LOSES"
"""Environment: how likely a replica is lost between two looks."""


class FileSite:
    """A target whose state is one SQLite file."""

    def __init__(self, state: Path, _system: str, clock: Clock) -> None:
        self._clock = clock
        self._chance = random.Random()  # noqa: S311 - which replica dies is no secret
        self._loses = float(os.environ.get(LOSES, "0"))
        self._file = sqlite3.connect(state / "site.sqlite", isolation_level=None, timeout=5)
        self._file.executescript(
            "CREATE TABLE IF NOT EXISTS replicas(id TEXT PRIMARY KEY, workload, release, started, exited);"
            "CREATE TABLE IF NOT EXISTS applied(n INTEGER PRIMARY KEY, id, token, body);"
            "CREATE TABLE IF NOT EXISTS settings(name PRIMARY KEY, value)"
        )

    async def observe(self, scope: Scope) -> Facts:
        """Lose one, perhaps; then tell what there is."""
        running = self._file.execute("SELECT id FROM replicas WHERE exited IS NULL").fetchall()
        if running and self._chance.random() < self._loses:
            victim = self._chance.choice(running)[0]
            self._file.execute("UPDATE replicas SET exited = ? WHERE id = ?", (scope.now, victim))
        replicas = tuple(map(_replica, self._file.execute("SELECT * FROM replicas ORDER BY id")))
        return Facts(
            at=scope.now,
            wall=scope.wall,
            sources={each: Source(observed_at=scope.now) for each in SOURCES},
            replicas=replicas,
            loads={each.workload: Load(in_flight=0, rate_per_s=0.0) for each in replicas},
            shares=msgspec.json.decode(self._setting("shares") or "{}"),
            configured=self._setting("configured"),
        )

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Do it in one transaction, once for each id; an older token than the newest is refused."""
        newest = self._file.execute("SELECT coalesce(max(token), 0) FROM applied").fetchone()[0]
        if token < newest:
            return Outcome(action=action_id, state="refused", at=self._clock.now(), code="fenced")
        self._file.execute("BEGIN IMMEDIATE")
        known = self._file.execute("SELECT 1 FROM applied WHERE id = ?", (action_id,)).fetchone()
        if known is None:
            self._carry_out(action)
        row = (action_id, token, encode(action).decode())
        self._file.execute("INSERT INTO applied(id, token, body) VALUES (?, ?, ?)", row)
        self._file.execute("COMMIT")
        return Outcome(action=action_id, state="done" if known else "accepted", at=self._clock.now())

    async def logs(self, workload: str, *, follow: bool, tail: int) -> AsyncIterator[LogLine]:
        """Write a line for each of the last ones asked for."""
        for number in range(tail):
            yield LogLine(replica=f"{workload}-1", stream="out", text=f"line {number}, follow {follow}")

    def _carry_out(self, action: Action) -> None:
        match action:
            case Configure(system=system):
                self._set("configured", digest(system))
            case Shift(shares=shares, workload=workload):
                self._set("shares", encode({workload: shares}).decode())
            case Scale(workload=workload, release=release, starts=starts, stops=stops):
                self._start(workload, release, *starts)
                self._end(*stops)
            case Replace(workload=workload, release=release, replica=replica, start=start):
                self._start(workload, release, start)
                self._end(replica)
            case Forget(replicas=replicas):
                self._file.executemany("DELETE FROM replicas WHERE id = ?", [(each,) for each in replicas])
            case Dismantle():
                self._file.execute("DELETE FROM replicas")
                self._file.execute("DELETE FROM settings")

    def _start(self, workload: str, release: str, *names: str) -> None:
        for name in names:
            row = (name, workload, release, self._clock.now())
            # A name that is given twice is not an error here: the test finds it in what was applied.
            self._file.execute("INSERT OR IGNORE INTO replicas VALUES (?, ?, ?, ?, NULL)", row)

    def _end(self, *names: str) -> None:
        for name in names:
            self._file.execute(
                "UPDATE replicas SET exited = coalesce(exited, ?) WHERE id = ?", (self._clock.now(), name)
            )

    def _setting(self, name: str) -> str:
        row = self._file.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _set(self, name: str, value: str) -> None:
        self._file.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))


def _replica(row: tuple[str, str, str, float, float | None]) -> Replica:
    name, workload, release, started, exited = row
    return Replica(
        id=name,
        workload=workload,
        release=release,
        phase=Phase.RUNNING if exited is None else Phase.EXITED,
        started_at=started,
        ready=exited is None,
        in_flight=0,
        exit=None if exited is None else Exit(at=exited, signal=9),
    )
