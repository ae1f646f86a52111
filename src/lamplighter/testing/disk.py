"""A virtual disk that loses power: what was appended and not synced is gone, in part or whole, by chance.

For tests of whatever is written against `lamplighter.runtime.agents.store.Disk`. Everything is drawn from one
seed. Faults are planned by the number of the operation at which they strike.
"""

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from lamplighter.model.errors import OwnedError

SECTOR_BYTES = 512
NOTHING, FIRST_PART, SOME_SECTORS, ALL = range(4)


class PowerLossError(Exception):
    """The power went in the middle of an operation. Call `crash` before the disk is used again."""


@dataclass(slots=True)
class _File:
    """A file's content; of it the first `synced` bytes survive, and its name only if `named`."""

    data: bytearray
    synced: int = 0
    named: bool = False
    doomed: bool = False
    number: int = 0


class VirtualDisk:
    """The files of one folder in memory.

    Args:
        seed: of all that is left to chance.
        capacity_bytes: an append or a replacement beyond it fails with ENOSPC, a part of it written.
        honest: whether `sync` does what it says; without that no journal can keep its word.
    """

    def __init__(self, seed: int = 0, *, capacity_bytes: int | None = None, honest: bool = True) -> None:
        """Begin empty."""
        self.steps = 0
        """Operations that changed something so far."""
        self.capacity_bytes = capacity_bytes
        self._honest = honest
        self._chance = Random(seed)  # noqa: S311 - chance of a simulation
        self._files: dict[str, _File] = {}
        self._removed: dict[str, bytes] = {}
        self._holder = ""
        self._losses: set[int] = set()
        self._errors: dict[int, int] = {}

    def lose_power_at(self, step: int) -> None:
        """Plan a loss of power in the operation that is the `step`-th to change something."""
        self._losses.add(step)

    def fail_at(self, step: int, error: int) -> None:
        """Plan an error of the operating system, such as `errno.EIO`."""
        self._errors[step] = error

    def forgive(self) -> None:
        """Call off all faults that are planned."""
        self._losses.clear()
        self._errors.clear()

    def crash(self) -> None:
        """Lose the power and come back with what survived it."""
        self._holder = ""
        for name, data in self._removed.items():
            if name not in self._files and self._coin():
                self._files[name] = _File(bytearray(data), len(data), named=True, number=self.steps)
        self._removed.clear()
        for name, file in list(self._files.items()):
            if not file.named and self._coin():
                del self._files[name]
                continue
            self._tear(file)
            self._files[name] = _File(file.data, len(file.data), named=True)

    def flip(self, name: str, bit: int) -> None:
        """Alter one bit of a file."""
        self._files[name].data[bit // 8] ^= 1 << bit % 8

    def hold(self, holder: str) -> None:
        """See `Disk.hold`."""
        if self._holder:
            raise OwnedError(f"the agents here are held by {self._holder}")
        self._holder = holder

    def release(self) -> None:
        """See `Disk.release`."""
        self._holder = ""

    def names(self) -> list[str]:
        """See `Disk.names`."""
        return sorted(self._files)

    def size(self, name: str) -> int:
        """See `Disk.size`."""
        return len(self._file(name).data)

    def read(self, name: str, offset: int, length: int) -> bytes:
        """See `Disk.read`."""
        return bytes(self._file(name).data[offset : offset + length])

    def identity(self, name: str) -> object:
        """See `Disk.identity`."""
        return self._file(name).number

    def append(self, name: str, data: bytes) -> None:
        """See `Disk.append`."""
        file = self._files.setdefault(name, _File(bytearray()))
        part = data[: self._chance.randrange(len(data) + 1)]
        try:
            self._step(growth=len(data))
        except (OSError, PowerLossError):
            file.data += part
            raise
        file.data += data

    def sync(self, name: str) -> None:
        """See `Disk.sync`. After one that failed, what was to be synced never becomes durable."""
        file = self._file(name)
        try:
            self._step()
        except OSError:
            file.doomed = True
            raise
        if self._honest:
            file.named = True
            self._removed.clear()
            if not file.doomed:
                file.synced = len(file.data)

    def replace(self, name: str, parts: Iterable[bytes | bytearray]) -> None:
        """See `Disk.replace`."""
        data = b"".join(parts)
        try:
            self._step(growth=len(data))
        except PowerLossError:
            if self._coin():
                self._files[name] = _File(bytearray(data), len(data), named=True)
            raise
        self._files[name] = _File(bytearray(data), len(data), named=True, number=self.steps)
        self._removed.clear()

    def truncate(self, name: str, size: int) -> None:
        """See `Disk.truncate`."""
        file = self._file(name)
        try:
            self._step()
        except PowerLossError:
            if self._coin():
                del file.data[size:]
            raise
        del file.data[size:]
        file.synced = min(file.synced, size)

    def remove(self, name: str) -> None:
        """See `Disk.remove`."""
        self._step()
        file = self._files.pop(name, None)
        if file is not None and file.named:
            self._removed[name] = bytes(file.data[: file.synced])

    def _file(self, name: str) -> _File:
        file = self._files.get(name)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "No such file", name)
        return file

    def _coin(self) -> bool:
        return self._chance.random() < 1 / 2

    def _step(self, growth: int = 0) -> None:
        """Count an operation; let what is planned for it strike."""
        self.steps += 1
        if self.steps in self._losses:
            raise PowerLossError(f"the power went at step {self.steps}")
        if (error := self._errors.get(self.steps)) is not None:
            raise OSError(error, errno.errorcode[error])
        used = sum(len(file.data) for file in self._files.values())
        if self.capacity_bytes is not None and used + growth > self.capacity_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    def _tear(self, file: _File) -> None:
        """Do to what was not synced what a loss of power does: a first part or some sectors of it stay."""
        size = len(file.data)
        if size <= file.synced:
            return
        fate = self._chance.randrange(4)
        if fate == NOTHING:
            del file.data[file.synced :]
        elif fate == FIRST_PART:
            del file.data[self._chance.randrange(file.synced, size) :]
        elif fate == SOME_SECTORS:
            at = file.synced
            while at < size:
                upto = min(size, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
                if self._coin():
                    file.data[at:upto] = bytes(upto - at)
                at = upto
