"""The durable half of a host, whole: opened, recovered, written to, kept small, closed.

    sealed = store.seal(now)            the open frame is closed, after a bit of sweeping
    chore = store.chore()               right after it: a snapshot to write, segments to remove, or nothing
    store.journal.commit(sealed)        in a thread
    store.journal.synced(sealed)        now its effects may leave
    chore.run(); store.finish(chore)    in another thread, once its frame is durable; one chore at a time

Everything but `commit` and `Chore.run` belongs to one thread.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from lamplighter.model.errors import UserError
from lamplighter.runtime.agents.store import card as cards
from lamplighter.runtime.agents.store import snapshots
from lamplighter.runtime.agents.store.backup import Backup
from lamplighter.runtime.agents.store.card import FORMAT, Card
from lamplighter.runtime.agents.store.disk import Disk
from lamplighter.runtime.agents.store.errors import DiskError, TakenError
from lamplighter.runtime.agents.store.journal import DEFAULT, Journal, Point, Sealed, segment_name
from lamplighter.runtime.agents.store.limits import Limits
from lamplighter.runtime.agents.store.partition import Partition
from lamplighter.runtime.agents.store.records import State
from lamplighter.runtime.agents.store.recovery import Recovered, recover
from lamplighter.runtime.agents.store.sweep import Expired, Sweep

HOSTS_MAX = 256
"""A segment's number has eight bits for its host."""
PARTITIONS_MAX = 65_536
"""A record's head has sixteen bits for its partition."""


def never(_: State) -> bool:
    """No agent expires."""
    return False


@dataclass(frozen=True, slots=True)
class Chore:
    """Work that blocks and that no turn waits for.

    Args:
        after: the sequence that must be durable before it is run.
        taken: a snapshot to write, if any.
        removable: segments in which nothing lives.
        owned: raises if the folder is another's by now.
    """

    disk: Disk
    after: int
    taken: snapshots.Capture | None
    removable: tuple[int, ...]
    owned: Callable[[], None]

    def run(self) -> None:
        """Do it. May run in any thread.

        Raises:
            OSError: the disk refused; the journal is as sound as before, and the chore can be run again.
            TakenError: another has taken the folder; nothing was done.
        """
        self.owned()
        if self.taken is not None:
            snapshots.write(self.disk, self.taken)
        for segment in self.removable:
            self.disk.remove(segment_name(segment))


class Store:
    """A host's journal and its partitions, each with where its agents' states are."""

    def __init__(self, disk: Disk, card: Card, found: Recovered, expired: Expired, limits: Limits) -> None:
        """Go on from what was recovered; `Store.open` is the way in."""
        self.card = card
        self.partitions = found.partitions
        self.journal = Journal(disk, card.epoch, found.end, limits, self._owned)
        self.recovered = found
        self._disk = disk
        self._mine = disk.identity(cards.NAME)
        self._expired = expired
        self._limits = limits
        self._points = found.points
        self._old = set(found.segments)
        self._sweep: Sweep | None = None
        self._busy = False
        self._tidied_at: tuple[int, bool, int] | None = None
        self._swept_at = 0
        self._due = self._interval() - found.replayed

    @classmethod
    def open(
        cls,
        disk: Disk,
        *,
        host: int,
        partitions: int,
        holder: str,
        expired: Expired = never,
        limits: Limits = DEFAULT,
    ) -> Self:
        """Take a host's folder, recover what it holds, and begin a new ownership.

        Args:
            disk: the folder.
            host: number of this host, 0 to 255.
            partitions: how many there are, 1 to 65,536; the same as ever for this folder.
            holder: shown to a second owner, such as "process 4711".
            expired: asked of each state that is about to be copied: whether its agent is to go instead.
            limits: sizes of files.

        Raises:
            OwnedError: another process holds the folder.
            UserError: a number is out of its range, or another than this folder was made with.
            DamagedError: what is there was altered; nothing was changed.
            DiskError: the disk refuses.
        """
        _check("host", host, range(HOSTS_MAX))
        _check("partitions", partitions, range(1, PARTITIONS_MAX + 1))
        disk.hold(holder)
        try:
            card = cards.read(disk) or Card(FORMAT, host, partitions, 0)
            _check("host", host, [card.host])
            _check("partitions", partitions, [card.partitions])
            cards.write(disk, card)  # another form of the file: whoever had the folder notices from here on
            found = recover(disk, card)
            card = Card(FORMAT, host, partitions, card.epoch + 1)
            cards.write(disk, card)
        except OSError as error:
            disk.release()
            raise DiskError(
                f"the host's folder cannot be opened: {error.strerror or error}",
                mend="mend the disk or free some space, then start again; nothing is lost",
            ) from error
        except BaseException:
            disk.release()
            raise
        return cls(disk, card, found, expired, limits)

    def state(self, partition: Partition, address: str) -> State | None:
        """Read an agent's state; None if there is no such agent."""
        position = partition.index.get(address)
        return None if position is None else self.journal.state(address, position)

    def seal(self, at_s: float) -> Sealed | None:
        """Sweep a little if there is need, then close the open frame; None if it is empty."""
        if self._sweep is not None and not self.journal.empty:
            budget = 2 * (self.journal.records - self._swept_at)
            if self._sweep.step(self.journal, self.partitions, budget):
                self._sweep = None
        self._swept_at = self.journal.records
        return self.journal.seal(at_s)

    def chore(self) -> Chore | None:
        """Return what is to be done besides, if anything; only right after `seal`.

        It must be run once the frame just sealed is durable, and `finish` told; until then there is no other.
        """
        assert self.journal.empty, "a snapshot is of what stands between two frames"
        if self._busy or self.journal.records < self._due:
            return None
        self._busy = True
        self._due = self.journal.records + self._interval()
        oldest = min(self._points, key=lambda point: point.sequence)
        taken = snapshots.capture(self.partitions[self._points.index(oldest)], self.journal.end)
        return Chore(self._disk, self.journal.end.sequence, taken, self._tidied(oldest), self._owned)

    def backup(self, to: Disk) -> Backup | None:
        """Return a backup to be made up to the frame just sealed; only right after `seal`.

        It is treated as a chore is: None while another one is under way.

        Args:
            to: an empty folder, or one with earlier backups of this host.
        """
        assert self.journal.empty, "a backup is of what stands between two frames"
        if self._busy:
            return None
        self._busy = True
        return Backup(self._disk, to, self.card, self.journal.end)

    def finish(self, chore: Chore | Backup) -> None:
        """Take a chore for done."""
        self._busy = False
        if isinstance(chore, Backup):
            return
        if chore.taken is not None:
            self._points[chore.taken.head.partition] = chore.taken.point
        for segment in chore.removable:
            self._old.discard(segment)
            self.journal.segments.discard(segment)
            for partition in self.partitions:
                partition.written.pop(segment, None)
                partition.stale.pop(segment, None)

    def close(self) -> None:
        """End this ownership in order: everything is durable, and the card says with which frame it ended."""
        assert self.journal.empty, "what is open is sealed first"
        assert not self.journal.syncing, "what is sealed is synced first"
        if not self.journal.failed and self._disk.identity(cards.NAME) == self._mine:
            cards.write(self._disk, msgspec.structs.replace(self.card, closed=self.journal.durable))
        self._disk.release()

    def abandon(self) -> None:
        """Let the folder go as a crash would: what was not synced is as if it had never been."""
        self._disk.release()

    def _owned(self) -> None:
        """See that the folder is still this owner's, whatever its file system makes of locks.

        Raises:
            TakenError: another has taken it.
        """
        if self._disk.identity(cards.NAME) != self._mine:
            raise TakenError(
                "another process has taken this folder meanwhile; nothing more is acknowledged here",
                mend="keep agents on a file system whose locks work",
            )

    def _interval(self) -> int:
        """Records from one snapshot to the next, so that the oldest of all is as old as it may be."""
        agents = sum(len(partition.index) for partition in self.partitions)
        tail = max(self._limits.tail_records, agents // self._limits.tail_share)
        return tail // len(self.partitions)

    def _segments(self) -> set[int]:
        """Every segment to which nothing is appended any more."""
        growing = self.journal.growing
        return {segment for segment in self._old | self.journal.segments if segment < growing}

    def _tidied(self, oldest: Point) -> tuple[int, ...]:
        """Return which segments can be removed, and begin to sweep one if there is need.

        Counting what lives takes some 0.1 us for each partition and segment, so it is done only when a
        segment was begun, a sweep has ended, or more is out of the replay's reach than last time.
        """
        state = (self.journal.growing, self._sweep is None, oldest.segment)
        if state == self._tidied_at:
            return ()
        self._tidied_at = state
        written, living = self._counts()
        removable = self._removable(living, oldest)
        if self._sweep is not None and self._sweep.segment in removable:
            self._sweep = None
        self._choose(written, living)
        return removable

    def _counts(self) -> tuple[dict[int, int], dict[int, int]]:
        """States written and states that live, by segment."""
        written: dict[int, int] = defaultdict(int)
        living: dict[int, int] = defaultdict(int)
        for partition in self.partitions:
            stale = partition.stale
            for segment, count in partition.written.items():
                written[segment] += count
                living[segment] += count - stale.get(segment, 0)
        return written, living

    def _removable(self, living: dict[int, int], oldest: Point) -> tuple[int, ...]:
        """Segments in which nothing lives and from which nothing would be replayed."""
        segments = sorted(segment for segment in self._segments() if segment < oldest.segment)
        return tuple(segment for segment in segments if not living.get(segment))

    def _choose(self, written: dict[int, int], living: dict[int, int]) -> None:
        """Begin to sweep the segment of which least lives, if there is too much that does not."""
        segments = [segment for segment in self._segments() if living.get(segment)]
        if self._sweep is not None or len(segments) < self._limits.segments_min:
            return
        if sum(written.values()) > self._limits.space * sum(living.values()):
            least = min(segments, key=lambda segment: (living[segment] / written[segment], segment))
            self._sweep = Sweep(self._disk, least, self._expired)


def _check(name: str, value: int, allowed: Sequence[int]) -> None:
    """Refuse a number that is out of its range or does not fit the folder.

    Raises:
        UserError: it is.
    """
    if value not in allowed:
        wanted = f"{allowed[0]} to {allowed[-1]}" if len(allowed) > 1 else f"{allowed[0]}, as in this folder"
        raise UserError(
            f"{name} is {value}; it must be {wanted}",
            mend=f"set {name} accordingly, or name another folder",
            code=f"{name}-unfit",
        )
