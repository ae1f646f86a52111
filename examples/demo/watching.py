"""Watching the system through the maintainer's API, as `lamp up` itself does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import msgspec
from examples.demo.record import Look, NotHeldError

from lamplighter.app.client import Client
from lamplighter.app.views import Status
from lamplighter.model.actions import Action
from lamplighter.model.errors import LampError
from lamplighter.model.facts import Phase
from lamplighter.planning import describe
from lamplighter.ports import LedgerEntry

LOOK_S = 0.2

Say = Callable[[str], None]


class Watch:
    """Looks at the system a few times a second; sees nothing while no maintainer answers.

    Attributes:
        looks: how many replicas served, at each look.
        status: the newest look; None while there is none.
        pids: every process of a replica that was ever seen.
    """

    def __init__(self, state: Path, say: Say) -> None:
        self.looks: list[Look] = []
        self.status: Status | None = None
        self.pids: set[int] = set()
        self._client = Client(state, timeout_s=3.0)
        self._say = say
        self._next = 1

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def until(self, promise: str, holds: Callable[[Status], bool], within_s: float) -> Status:
        """Wait until what is seen is as it should be.

        Raises:
            NotHeldError: it was not, `within_s` from now; it has the promise.
        """
        deadline = monotonic() + within_s
        while monotonic() < deadline:
            if self.status is not None and holds(self.status):
                return self.status
            await asyncio.sleep(LOOK_S / 4)
        raise NotHeldError(f"{promise} within {within_s:.0f} s")

    async def _look(self) -> None:
        try:
            status, entries = await asyncio.to_thread(self._read)
        except LampError:
            self.status = None
            return
        if not status.number:
            return  # a maintainer that has just come has not looked yet
        self.status = status
        self.looks.append(look(status))
        self.pids |= {each.pid for each in status.replicas if each.pid}
        for each in entries:
            if told := decision(each):
                self._say(f"decided: {told}")

    def _read(self) -> tuple[Status, list[LedgerEntry]]:
        status = self._client.status()
        entries = list(self._client.entries(since=self._next))
        self._next = entries[-1].number + 1 if entries else self._next
        return status, entries


def look(status: Status) -> Look:
    """Return how many replicas serve in a status, and how many come and go."""
    serving: dict[str, int] = {}
    starting = draining = 0
    for each in status.replicas:
        if each.phase is Phase.DRAINING:
            draining += 1
        elif each.live and each.ready:
            serving[each.release] = serving.get(each.release, 0) + 1
        elif each.live:
            starting += 1
    return Look(monotonic(), serving, starting, draining)


def ready(status: Status) -> int:
    """Return how many replicas serve."""
    return sum(look(status).serving.values())


def decision(entry: LedgerEntry) -> str:
    """Return a decision to act in words, with its reason; empty for any other entry, and for housekeeping."""
    if not acts(entry):
        return ""
    return f"{action(entry.body)} - {entry.body.get('because', '')}"


def acts(entry: LedgerEntry) -> bool:
    """Return whether an entry is a decision to act on what serves (housekeeping only drops records)."""
    body = entry.body
    return (
        entry.kind == "decision" and body.get("state") == "act" and body.get("controller") != "housekeeping"
    )


def action(body: dict[str, object]) -> str:
    """Return the action of a decision in words."""
    try:
        return describe(msgspec.convert(body.get("action"), type=Action))
    except msgspec.ValidationError:
        return "an action that this version does not know"
