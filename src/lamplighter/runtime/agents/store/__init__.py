"""The durable half of a host: journal, partitions, snapshots. Blocking, single-threaded but for `commit`."""

from lamplighter.runtime.agents.store.backup import Backup, restore
from lamplighter.runtime.agents.store.desk import Desk, Suspended
from lamplighter.runtime.agents.store.disk import Disk, Folder
from lamplighter.runtime.agents.store.errors import DamagedError, DiskError, TakenError, TooLargeError
from lamplighter.runtime.agents.store.journal import Journal, Point, Sealed
from lamplighter.runtime.agents.store.limits import Limits
from lamplighter.runtime.agents.store.partition import Partition
from lamplighter.runtime.agents.store.store import Chore, Store

__all__ = [
    "Backup",
    "Chore",
    "DamagedError",
    "Desk",
    "Disk",
    "DiskError",
    "Folder",
    "Journal",
    "Limits",
    "Partition",
    "Point",
    "Sealed",
    "Store",
    "Suspended",
    "TakenError",
    "TooLargeError",
    "restore",
]
