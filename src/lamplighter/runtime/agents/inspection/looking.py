"""Answers what is asked of a shard, from its host and its journal, between two rounds of its event loop.

What has to go through every agent of a shard gives way to turns now and then.
"""

import asyncio
import dataclasses
import heapq
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents import post
from lamplighter.runtime.agents.driver import Driver, Place
from lamplighter.runtime.agents.inspection import values
from lamplighter.runtime.agents.inspection.values import Alarm, Busy, Letter, Query
from lamplighter.runtime.agents.kinds import Kind
from lamplighter.runtime.agents.seats import Seat, partition_of
from lamplighter.runtime.agents.store import Partition
from lamplighter.runtime.agents.store.records import State

STRIDE = 10_000
"""Addresses looked at at once: a millisecond or two."""


async def answer(driver: Driver, place: Place, query: Query) -> Any:
    """Return what a shard says.

    Raises:
        LampError: it cannot be said; as which error, the caller is told.
    """
    match query:
        case values.Count():
            return await _count(driver)
        case values.List():
            return await _list(driver, query)
        case values.Show():
            return _show(driver, place, query.address)
        case values.Top():
            return _top(driver, query.most)
        case values.Dead():
            found = (letter for _, letter in _letters(driver) if letter.address.startswith(query.prefix))
            letters = heapq.nsmallest(query.most, found, key=lambda letter: letter.at_s)
            return [_told(driver.host.context.kinds, letter) for letter in letters]
        case values.Bury():
            return await _bury(driver, query)
        case values.Stats():
            return _stats(driver)


async def _addresses(driver: Driver) -> AsyncIterator[list[str]]:
    """Every address of the shard, some at a time."""
    for seat in _seats(driver):
        index = list(seat.partition.index)
        for begin in range(0, len(index), STRIDE):
            yield index[begin : begin + STRIDE]
            await asyncio.sleep(0)


async def _count(driver: Driver) -> dict[str, int]:
    counts: Counter[str] = Counter()
    async for addresses in _addresses(driver):
        counts.update(address.partition("/")[0] for address in addresses)
    return dict(counts)


async def _list(driver: Driver, query: values.List) -> list[str]:
    found: list[str] = []
    async for addresses in _addresses(driver):
        fitting = [one for one in addresses if one > query.after and one.startswith(query.prefix)]
        found = heapq.nsmallest(query.most, [*found, *fitting])
    return found


def _show(driver: Driver, place: Place, address: str) -> values.Agent:
    number = partition_of(address, place.partitions)
    seat = driver.host.context.seats[number]
    if seat is None:
        raise LampError(f"{address} is in another shard", code="another-shard")
    kind = driver.host.context.kinds.get(address.partition("/")[0])
    desk = seat.partition.desk
    state = driver.store.state(seat.partition, address)
    mailbox = seat.busy.get(address)
    letters = [one for one in desk.dead.values() if one.address == address]
    turns = [turn.started for turn in desk.suspended.values() if turn.started.address == address]
    timers = [timer for timer in desk.timers.values() if timer.address == address]
    return values.Agent(
        address,
        number,
        place.number,
        known=state is not None,
        state=None if state is None else _state(seat.partition, kind, state),
        state_bytes=0 if state is None else len(state.state),
        used_s=0 if state is None else state.used_s,
        waiting=len(mailbox.waiting) if mailbox is not None else 0,
        suspended=[post.letter(turn.message).since for turn in turns],
        timers=[Alarm(timer.due_s, _letter(kind, timer.message)) for timer in timers],
        dead=[_dead(number, kind, letter) for letter in letters],
    )


def _state(partition: Partition, kind: Kind | None, state: State) -> Any:
    """A state by its fields: as the class has it; as it was stored where the class cannot read it."""
    schema = partition.desk.schemas.get(state.schema)
    try:
        if kind is not None and schema is not None:
            agent = kind.revive(state.state, schema.version, tuple(schema.fields))
            return {name: getattr(agent, name) for name in kind.fields}
    except LampError:
        pass
    packed = msgspec.msgpack.decode(state.state)
    return packed if schema is None else dict(zip(schema.fields, packed, strict=False))


def _letter(kind: Kind | None, packed: bytes) -> Any:
    """The message in a letter; None if it is a wake-up call and no letter."""
    try:
        letter = post.letter(packed)
    except msgspec.DecodeError:
        return None
    return _message(kind, letter.payload)


def _message(kind: Kind | None, payload: bytes) -> Any:
    """A message by its fields, as far as it can be read."""
    try:
        return kind.read(payload) if kind is not None else msgspec.msgpack.decode(payload)
    except (LampError, msgspec.DecodeError):
        return repr(payload[:200])


def _top(driver: Driver, most: int) -> list[Busy]:
    busy = (
        Busy(address, len(mailbox.waiting), bool(mailbox.turn))
        for seat in _seats(driver)
        for address, mailbox in seat.busy.items()
    )
    return heapq.nlargest(most, busy, key=lambda one: (one.waiting, one.suspended))


def _letters(driver: Driver) -> list[tuple[Seat, Letter]]:
    return [
        (seat, _dead(seat.number, None, dead, raw=True))
        for seat in _seats(driver)
        for dead in seat.partition.desk.dead.values()
    ]


def _dead(partition: int, kind: Kind | None, dead: Any, *, raw: bool = False) -> Letter:
    message = dead.message if raw else _letter(kind, dead.message)
    return Letter(partition, dead.number, dead.address, dead.reason, dead.at_s, message)


def _told(kinds: dict[str, Kind], letter: Letter) -> Letter:
    """A dead letter with its message read."""
    message = _letter(kinds.get(letter.address.partition("/")[0]), letter.message)
    return msgspec.structs.replace(letter, message=message)


async def _bury(driver: Driver, query: values.Bury) -> int:
    """Take letters away, and say how many once that is durable."""
    found = [
        letter
        for _, letter in _letters(driver)
        if letter.address.startswith(query.prefix)
        and query.letter in {None, (letter.partition, letter.number)}
    ]
    count = sum(driver.host.bury(letter.partition, letter.number, again=query.again) for letter in found)
    if count:
        await driver.durable()
    return count


def _stats(driver: Driver) -> dict[str, float]:
    """Numbers that may be added up over shards."""
    context, desks = driver.host.context, [seat.partition.desk for seat in _seats(driver)]
    return {
        **{name: float(count) for name, count in dataclasses.asdict(driver.host.counts).items()},
        "shards": 1.0,
        "agents": float(sum(len(seat.partition.index) for seat in _seats(driver))),
        "queue": float(len(context.queue)),
        "waiting_turns": float(sum(len(seat.waiting) for seat in _seats(driver))),
        "waiting_messages": float(
            sum(len(mailbox.waiting) for seat in _seats(driver) for mailbox in seat.busy.values())
        ),
        "outbox": float(sum(len(out) for desk in desks for out in desk.outbox.values())),
        "timers": float(sum(len(desk.timers) for desk in desks)),
        "dead_letters": float(sum(len(desk.dead) for desk in desks)),
        "owners": float(driver.store.card.epoch),
        "waiting_bytes": float(context.load.parked_bytes + context.load.offered_bytes),
        **context.signals.figures(),
        "frames": float(driver.store.journal.durable),
    }


def _seats(driver: Driver) -> list[Seat]:
    return [seat for seat in driver.host.context.seats if seat is not None]
