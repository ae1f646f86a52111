"""A pool's folder: its card, a folder for each shard with the shard's socket in it, and who hosts them.

What is where:
    pool.json            how many partitions and shards there are, for ever
    hosts/ID             one for each process that hosts, locked for as long as it lives
    shards/NNN/          a shard's journal, and `sock`
"""

import os
from pathlib import Path

import msgspec

from lamplighter.model.errors import EnvironmentFault, UserError

CARD = "pool.json"
FORMAT = 1
SHARDS_MAX = 256
"""As many as there are numbers of hosts in a journal."""
PARTITIONS_MAX = 65_536


class Card(msgspec.Struct, frozen=True):
    """What never changes in a pool.

    Args:
        partitions: how many parts the agents are dealt into.
        shards: how many journals the partitions are dealt into, in turn.
        format: of the folder.
    """

    partitions: int
    shards: int
    format: int = FORMAT


class Layout:
    """Where things are in a pool's folder.

    Args:
        folder: of the pool.
        card: what never changes in it.
    """

    def __init__(self, folder: Path, card: Card) -> None:
        self.folder = folder
        self.card = card

    @property
    def hosts(self) -> Path:
        """The folder in which hosts say that they live."""
        return self.folder / "hosts"

    def shard(self, number: int) -> Path:
        """A shard's folder."""
        return self.folder / "shards" / f"{number:03d}"

    @property
    def sockets(self) -> list[Path]:
        """Each shard's socket, by number, whoever has it."""
        return [self.shard(number) / "sock" for number in range(self.card.shards)]


def found(folder: Path) -> Layout:
    """Return the layout of a pool that is there.

    Raises:
        UserError: there is none, or a later version made it.
    """
    try:
        card = msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    except FileNotFoundError as error:
        raise UserError(
            f"there is no pool of agents in {folder}",
            mend="name the folder that its hosts were given",
            code="no-pool",
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise EnvironmentFault(
            f"{folder / CARD} cannot be read: {error}",
            mend="restore the folder from a backup",
            code="folder-unusable",
        ) from error
    if card.format > FORMAT:
        raise UserError(
            f"this pool has format {card.format}; this version reads {FORMAT}",
            mend="use the version that made it, or a later one",
            code="format-too-new",
        )
    return Layout(folder, card)


def made(folder: Path, *, partitions: int, shards: int) -> Layout:
    """Return the layout of a pool, which is made if there is none; one of many hosts makes it.

    Args:
        folder: of the pool.
        partitions: 1 to 65,536; must be as ever for this folder.
        shards: 1 to 256; settled when the folder is made, and left as it is after that.

    Raises:
        UserError: a number is out of its range, or the folder was made with other partitions.
        EnvironmentFault: the folder can be neither used nor made.
    """
    _check("partitions", partitions, PARTITIONS_MAX)
    _check("shards", shards, SHARDS_MAX)
    try:
        for place in (folder, folder / "hosts", folder / "shards"):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / CARD).exists():
            _make(folder, Card(partitions, min(shards, partitions)))
    except OSError as error:
        raise EnvironmentFault(
            f"the folder {folder} cannot be used: {error.strerror}",
            mend="name a folder that this user may write to",
            code="folder-unusable",
        ) from error
    layout = found(folder)
    if layout.card.partitions != partitions:
        raise UserError(
            f"partitions is {partitions}; the pool in {folder} was made with {layout.card.partitions}",
            mend="set partitions accordingly, or name another folder",
            code="partitions-unfit",
        )
    return layout


def _make(folder: Path, card: Card) -> None:
    """Write the card, as a whole and durably, unless another host has done so meanwhile."""
    partial = folder / f".{CARD}.{os.getpid()}"
    with partial.open("wb") as file:
        file.write(msgspec.json.encode(card) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(partial, folder / CARD)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise UserError(
            f"{name} is {value}; it must be 1 to {most}",
            mend=f"set {name} accordingly",
            code=f"{name}-unfit",
        )
