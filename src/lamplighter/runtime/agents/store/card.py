"""A host's card: who this folder belongs to, which ownership this is, and whether the last one ended well."""

from zlib import crc32

import msgspec

from lamplighter.model.errors import UserError
from lamplighter.runtime.agents.store.disk import Disk
from lamplighter.runtime.agents.store.errors import DamagedError

NAME = "card.json"
FORMAT = 1


class Card(msgspec.Struct, frozen=True):
    """What is written at every start and at every orderly end.

    Args:
        format: of the files in this folder.
        host: number of the host.
        partitions: how many partitions there are; it never changes.
        epoch: counts the ownerships.
        closed: the last sequence, if the last owner ended in order; -1 if it did not, or has not yet.
    """

    format: int
    host: int
    partitions: int
    epoch: int
    closed: int = -1


def read(disk: Disk) -> Card | None:
    """Return the card; None in a folder that holds nothing.

    Raises:
        DamagedError: the card is missing though there is data, or was altered.
        UserError: it was written by a later version.
    """
    names = disk.names()
    if NAME not in names:
        if names:
            raise DamagedError(
                f"there is no {NAME} though the folder holds data ({names[0]})",
                mend="restore the folder from a backup, or name an empty one",
            )
        return None
    text, _, summed = disk.read(NAME, 0, disk.size(NAME)).partition(b"\n")
    if summed != b"%08x\n" % crc32(text):
        raise DamagedError(f"{NAME} was altered", mend="restore the folder from a backup")
    card = msgspec.json.decode(text, type=Card)
    if card.format > FORMAT:
        raise UserError(
            f"this folder has format {card.format}; this version reads {FORMAT}",
            mend="use the version that wrote it, or a later one",
            code="format-too-new",
        )
    return card


def write(disk: Disk, card: Card) -> None:
    """Replace the card."""
    text = msgspec.json.encode(card)
    disk.replace(NAME, [b"%s\n%08x\n" % (text, crc32(text))])
