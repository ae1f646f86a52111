"""Debts: what one maintainer has begun or promised, it and its successors go on with.

Goes by what was recorded before and by what people ordered, whoever maintains now.
"""

from collections.abc import Iterator

from lamplighter.model.history import History
from lamplighter.model.intents import Down, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import System
from lamplighter.testing.checkers.ownership import SLOW_S
from lamplighter.testing.checkers.seen import Listens, starts
from lamplighter.testing.witness import Witness


class BegunIsEnded(Listens):
    """Every action that was recorded as under way goes on, or has come to an end that was recorded."""

    def __init__(self) -> None:
        self._under_way: frozenset[str] = frozenset()
        self._ended: set[str] = set()

    def hear(self, _inputs: Inputs, result: Result, after: History, witness: Witness) -> Iterator[str]:
        """Hear what is under way and what has ended."""
        self._ended.update(each.action for each in result.closed)
        if not after.stopped and not _slow(witness):
            for each in sorted(self._under_way - after.pending.keys() - self._ended):
                yield f"{each} was under way, and is so no more, without an end"
        if witness.recording:
            self._under_way, self._ended = frozenset(after.pending), set()


def _slow(witness: Witness) -> bool:
    """Return whether writes may be on their way still, and arrive after a successor has begun."""
    return witness.world.befalling.lately("disk-slow", SLOW_S)


class OrdersStand(Listens):
    """The spec in force is the one that was ordered last, and what was ordered down stays so."""

    def __init__(self) -> None:
        self._known: System | None = None
        self._unsure = False

    def hear(self, inputs: Inputs, _result: Result, after: History, witness: Witness) -> Iterator[str]:
        """Hear what is in force. Where an order's pass could not be recorded, or too late, it may be none."""
        ordered = any(isinstance(each, Up | Down) for each in inputs.intents)
        if ordered:
            self._unsure = not witness.recording or _slow(witness)
        if self._unsure or witness.system is None or _slow(witness):
            return
        if after.system is not self._known and after.system != witness.system:
            yield "the spec in force is not the one that was ordered last"
        self._known = witness.system if after.system == witness.system else None
        if (witness.down_at is None) != (after.stopping is None and not after.stopped):
            yield (
                "what was ordered up is going down"
                if witness.down_at is None
                else "an order to go down is lost"
            )


class NamedOnce(Listens):
    """A name is given to one replica: a later action starts one of the same name only in its stead."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def hear(self, _inputs: Inputs, result: Result, _after: History, witness: Witness) -> Iterator[str]:
        """Hear what is to be started; what takes over from an overtaken action starts what that was to."""
        if not witness.recording or _slow(witness):
            return
        overtaken = {each.action for each in result.closed}
        for each in result.decisions:
            for name in starts(each.chosen.action) if each.state == "act" else ():
                first = self._given.get(name, each.id)
                if first != each.id and first not in overtaken:
                    yield f"{each.id} is to start {name}, which {first} was to start"
                self._given[name] = each.id
