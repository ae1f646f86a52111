"""Power losses: lives of a store on a virtual disk, with a checker that knows what must have survived.

    violations = lives(seed)

Each life opens the store, compares all of it with what was written before, writes frames of random records,
and ends by a loss of power, an error of the disk, or in order. The checker keeps, for every frame, what the
store should hold after it: what was synced must be there, and a frame is there whole or not at all.
"""

import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from lamplighter.runtime.agents.store import Desk, DiskError, Limits, Partition, Store
from lamplighter.runtime.agents.store.partition import OFFSET_BITS
from lamplighter.runtime.agents.store.records import (
    Acked,
    Answer,
    Buried,
    Dead,
    Done,
    Ended,
    Fired,
    Forgot,
    Gone,
    Heard,
    Mail,
    Out,
    Received,
    Record,
    Result,
    Schema,
    Started,
    State,
    Timer,
)
from lamplighter.testing.disk import PowerLossError, VirtualDisk

SMALL = Limits(segment_bytes=6_000, tail_records=60, segments_min=2, space=1.5)
"""Such that segments roll, snapshots are written and segments are swept many times a life."""
PARTITIONS = 3
LIVES = 6
STEPS_MAX = 160
ERRORS = (errno.EIO, errno.ENOSPC)
SIZES = (0, 1, 30, 200, 700, 2_500)

Content = tuple[dict[str, bytes], tuple[str, ...]]


@dataclass(slots=True)
class Witness:
    """What each frame must leave behind, by sequence, and the last one that was acknowledged."""

    contents: dict[int, list[Content]] = field(default_factory=dict)
    acknowledged: int = 0


def lives(seed: int, *, honest: bool = True) -> list[str]:
    """Live through a few lives of one store; return what the checker found wrong.

    Args:
        seed: of everything.
        honest: whether the disk's `sync` does what it says.
    """
    chance = Random(seed)  # noqa: S311 - chance of a simulation
    disk = VirtualDisk(seed, honest=honest)
    witness = Witness({0: [({}, content(Partition(0))[1])] * PARTITIONS})
    for _ in range(LIVES):
        try:
            found = _life(disk, chance, witness)
        except (PowerLossError, DiskError):
            found = []
        except OSError as error:
            found = [] if error.errno in ERRORS else [f"an operation failed that should not have: {error}"]
        if found:
            return found
        disk.crash()
    return []


def told(seed: int, *, honest: bool = True) -> str:
    """As `lives`, in one line; tells of a store that does not open too, which no loss of power excuses."""
    try:
        return "; ".join(lives(seed, honest=honest))
    except Exception as error:  # noqa: BLE001 - whichever way it shows
        return f"{type(error).__name__}: {error}"


def content(partition: Partition, states: dict[str, bytes] | None = None) -> Content:
    """All that a partition holds, in a form that can be compared; states by address as given.

    Read from the desk's fields, not by the code that writes it to snapshots. The order of mail, of messages
    on their way out and of marks counts; that of everything else does not.
    """
    desk = partition.desk
    ordered = [list(desk.marks.items()), list(desk.heard_s.items())]
    sorts = (desk.mail, desk.answers, desk.outbox, desk.sent, desk.timers, desk.suspended, desk.dead)
    unordered = [sorted(each.items(), key=repr) for each in (*sorts, desk.schemas)]
    held = (*ordered, *unordered, desk.next_mail, desk.next_turn, desk.next_due_s())
    return states or {}, tuple(repr(each) for each in held)


def _life(disk: VirtualDisk, chance: Random, witness: Witness) -> list[str]:
    """One life: open, compare, write until the power goes, an error strikes, or the end."""
    _plan(disk, chance)
    store = Store.open(disk, host=1, partitions=PARTITIONS, holder="a life", limits=SMALL)
    if found := compare(store, witness):
        return found
    sequence = store.journal.durable
    witness.contents = {sequence: witness.contents[sequence]}
    witness.acknowledged = sequence
    states = [dict(states) for states, _ in witness.contents[sequence]]
    chore = None
    for _ in range(chance.randrange(60)):
        _records(store, chance, states)
        sealed = store.seal(1.0)
        contents = zip(store.partitions, states, strict=True)
        witness.contents[store.journal.end.sequence] = [content(each, dict(held)) for each, held in contents]
        chore = chore or store.chore()
        if sealed is None:
            continue
        store.journal.commit(sealed)
        store.journal.synced(sealed)
        witness.acknowledged = sealed.sequence
        if chore is not None and chance.random() < 1 / 2:
            chore.run()
            store.finish(chore)
            chore = None
    store.close()
    return []


def compare(store: Store, witness: Witness) -> list[str]:
    """Say where a recovered store differs from what was written."""
    sequence = store.journal.durable
    if sequence < witness.acknowledged:
        return [f"frame {witness.acknowledged} was acknowledged, but the journal ends with {sequence}"]
    if sequence not in witness.contents:
        return [f"frame {sequence} was never sealed"]
    found = []
    for partition, (states, desk) in zip(store.partitions, witness.contents[sequence], strict=True):
        read = {address: _read(store, partition, address) for address in partition.index}
        if read != states:
            found.append(f"states of partition {partition.number} differ after frame {sequence}")
        if content(partition)[1] != desk:
            found.append(f"the desk of partition {partition.number} differs after frame {sequence}")
        living = Counter(position >> OFFSET_BITS for position in partition.index.values())
        if living != Counter(partition.written) - Counter(partition.stale):
            found.append(f"partition {partition.number} miscounts what lives in its segments")
    return found


def _read(store: Store, partition: Partition, address: str) -> bytes:
    state = store.state(partition, address)
    assert state is not None, "it is in the index"
    return state.state


def _plan(disk: VirtualDisk, chance: Random) -> None:
    """Plan how this life ends: most lose their power, some meet an error, some end in order."""
    end = chance.random()
    step = disk.steps + 1 + chance.randrange(STEPS_MAX)
    if end < 0.7:  # noqa: PLR2004 - shares of lives
        disk.lose_power_at(step)
    elif end < 0.9:  # noqa: PLR2004
        disk.fail_at(step, chance.choice(ERRORS))


def _records(store: Store, chance: Random, states: list[dict[str, bytes]]) -> None:
    """Write some random records, and keep account of the states."""
    for _ in range(chance.randrange(12)):
        number = chance.randrange(PARTITIONS)
        partition, held = store.partitions[number], states[number]
        address = f"reader/{chance.randrange(12)}"
        if chance.random() < 0.6:  # noqa: PLR2004 - states are most of what is written
            size = chance.choice(SIZES)
            held[address] = chance.randbytes(size) if chance.random() < 0.8 else bytes(size)  # noqa: PLR2004
            if chance.random() < 1 / 2:
                store.journal.write(partition, State(address, 1, 7, held[address]))
            else:
                store.journal.write_states(partition, [(address, 1, 7, held[address])])
        elif chance.random() < 1 / 8:
            held.pop(address, None)
            store.journal.write(partition, Gone(address))
        else:
            draw = chance.choice(_DRAWS)
            store.journal.write(partition, draw(chance, address, partition.desk))


_DRAWS: list[Callable[[Random, str, Desk], Record]] = [
    lambda _, address, desk: Mail(desk.next_mail, address, b"mail"),
    lambda chance, _, desk: Done(chance.randrange(desk.next_mail)),
    lambda chance, *_: Heard(5.0, {f"s{chance.randrange(3)}": chance.randrange(99)}),
    lambda chance, *_: Forgot(f"s{chance.randrange(3)}"),
    lambda chance, *_: Answer(f"s{chance.randrange(3)}", chance.randrange(99), b"answer"),
    lambda chance, *_: Received(f"s{chance.randrange(3)}", chance.randrange(99)),
    lambda chance, _, desk: Out(to := chance.randrange(3), desk.sent.get(to, 0) + 1, b"out"),
    lambda chance, _, desk: Acked(to := chance.randrange(3), desk.sent.get(to, 0)),
    lambda chance, address, desk: Timer(desk.next_turn, chance.randrange(2), address, 9.5, b"due"),
    lambda chance, _, desk: Fired(chance.randrange(desk.next_turn), chance.randrange(2)),
    lambda _, address, desk: Started(desk.next_turn, address, b"message"),
    lambda chance, _, desk: Result(chance.randrange(desk.next_turn), chance.randrange(3), b"a", b"r"),
    lambda chance, _, desk: Ended(chance.randrange(desk.next_turn)),
    lambda _, address, desk: Dead(desk.next_mail, address, b"m", "raised", 3.0),
    lambda chance, _, desk: Buried(chance.randrange(desk.next_mail)),
    lambda chance, *_: Schema(chance.randrange(3), "reader", 1, ["seen"]),
]
