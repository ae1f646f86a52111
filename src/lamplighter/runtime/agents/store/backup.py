"""Backups of a host's folder while it runs, and restoring one as it was at some moment.

A backup is a folder that a host could be opened in: snapshots, and the segments up to some durable frame. The
first backup into an empty folder is its base. Later ones into the same folder add only what was appended
since, and leave the base's snapshots, so that every moment from the base on can be restored. If segments that
would be needed have been swept away meanwhile, the backup begins a new base.

    copy = store.backup(disk)           right after `seal`, as for a chore
    copy.run(); store.finish(copy)      once its frame is durable, in another thread
"""

from dataclasses import dataclass

import msgspec

from lamplighter.model.errors import UserError
from lamplighter.runtime.agents.store import card as cards
from lamplighter.runtime.agents.store import snapshots
from lamplighter.runtime.agents.store.card import Card
from lamplighter.runtime.agents.store.disk import Disk
from lamplighter.runtime.agents.store.errors import DamagedError
from lamplighter.runtime.agents.store.frames import frames, header
from lamplighter.runtime.agents.store.journal import Point, segment_name
from lamplighter.runtime.agents.store.recovery import SUFFIX, recover

COPY_BYTES = 8 << 20
"""How much is copied at once."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup to be made.

    Args:
        disk: the host's folder.
        to: the backup's folder.
        card: the host's.
        end: up to where the journal is copied.
    """

    disk: Disk
    to: Disk
    card: Card
    end: Point

    @property
    def after(self) -> int:
        """The sequence that must be durable before it is run."""
        return self.end.sequence

    def run(self) -> None:
        """Make it. May run in any thread, but no chore of the same store beside it.

        Raises:
            OSError: a disk refused; run again, it goes on.
            UserError: the folder holds something else than a backup of this host.
        """
        self.to.hold(f"a backup of host {self.card.host}")
        try:
            segments = _segments(self.disk, upto=self.end.segment)
            if not self._continues(segments):
                self._begin()
            for segment in segments:
                self._copy(segment)
            cards.write(self.to, msgspec.structs.replace(self.card, closed=self.end.sequence))
        finally:
            self.to.release()

    def _continues(self, segments: list[int]) -> bool:
        """Whether the folder has a whole base, and nothing is missing between it and these segments."""
        if cards.NAME not in self.to.names():
            return False
        card = cards.read(self.to)
        if card is None or (card.host, card.partitions) != (self.card.host, self.card.partitions):
            raise UserError(
                "the folder holds a backup of another host",
                mend="name an empty folder, or the one of this host's backups",
                code="backup-of-another",
            )
        last = max(_segments(self.to), default=0)
        new = [segment for segment in segments if segment >= last]
        return new == list(range(last, last + len(new))) and len(new) > 0

    def _begin(self) -> None:
        """Make a base: the snapshots as they are, in the place of whatever an earlier backup has left."""
        for name in self.to.names():
            if name.endswith((SUFFIX, snapshots.SUFFIX)):
                self.to.remove(name)
        names = self.disk.names()
        for name in filter(names.__contains__, map(snapshots.name, range(self.card.partitions))):
            self.to.replace(name, [self.disk.read(name, 0, self.disk.size(name))])

    def _copy(self, segment: int) -> None:
        """Copy what a segment has and the backup lacks."""
        name = segment_name(segment)
        size = self.end.offset if segment == self.end.segment else self.disk.size(name)
        at = self.to.size(name) if name in self.to.names() else 0
        while at < size:
            part = self.disk.read(name, at, min(COPY_BYTES, size - at))
            self.to.append(name, part)
            self.to.sync(name)
            at += len(part)


def restore(backup: Disk, to: Disk, *, until_s: float = float("inf")) -> int:
    """Fill an empty folder from a backup, as the host was at a moment; return the last frame's sequence.

    Args:
        backup: the backup's folder; it is only read.
        to: an empty folder, in which the host can be opened afterwards.
        until_s: wall time; frames closed later than that are left out.

    Raises:
        UserError: the folder is not empty, the backup is, or it begins after that moment.
        DamagedError: the backup was altered.
    """
    card = cards.read(backup)
    if card is None or to.names():
        raise UserError(
            "there is nothing to restore" if card is None else "the folder to restore to is not empty",
            mend="name a folder that a backup has filled, and an empty one to restore to",
            code="restore-unfit",
        )
    last = _restored(backup, to, until_s)
    for name in backup.names():
        if name.endswith(snapshots.SUFFIX):
            to.replace(name, [backup.read(name, 0, backup.size(name))])
    card = msgspec.structs.replace(card, closed=last)
    try:
        recover(to, card)
    except DamagedError as error:
        if until_s == float("inf"):
            raise
        raise UserError(
            f"the backup does not reach back to that moment: {error.message}",
            mend="restore to a later moment, or from a backup that was begun earlier",
            code="before-backup",
        ) from error
    cards.write(to, card)
    return last


def _restored(backup: Disk, to: Disk, until_s: float) -> int:
    """Copy segments up to a moment; return the last frame's sequence."""
    last, segments = 0, _segments(backup)
    for segment in segments:
        name = segment_name(segment)
        data = backup.read(name, 0, backup.size(name))
        if header(data, segment) is None:
            raise DamagedError(f"{name} of the backup is not finished")
        end = None
        for frame in frames(data, segment):
            if frame.at_s > until_s:
                break
            last, end = frame.sequence, frame.end
        if end is not None:
            to.append(name, data[:end])
            to.sync(name)
        if end != len(data):
            break
    return last


def _segments(disk: Disk, upto: int | None = None) -> list[int]:
    """The numbers of a folder's segments."""
    numbers = sorted(int(name.removesuffix(SUFFIX), 16) for name in disk.names() if name.endswith(SUFFIX))
    return [number for number in numbers if upto is None or number <= upto]
