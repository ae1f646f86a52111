"""What can be wrong with a host's durable half; all of it says where, and what can be done.

EnvironmentFault
├── DamagedError    what is read is not what was written: nothing is guessed, the host stays down
└── DiskError       a write or a sync failed: the host stops; what was not synced was not acknowledged
UserError
└── TooLargeError   a state or a message is larger than a frame may be

OwnedError          another process holds the folder: the second one is refused
└── TakenError      another process has taken it although this one holds it: locks do not work there
"""

from lamplighter.model.errors import EnvironmentFault, OwnedError, Retry, UserError


class DamagedError(EnvironmentFault):
    """A segment, a snapshot or the host's card was altered or is missing. Restore it from a backup."""

    code = "journal-damaged"
    retry: Retry = "never"


class DiskError(EnvironmentFault):
    """The disk refused a write or a sync. Nothing of it was acknowledged; mend the disk, start again."""

    code = "disk-failed"
    retry: Retry = "later"


class TooLargeError(UserError):
    """One record would exceed what a frame may hold. Keep less in one agent, or send less at once."""

    code = "record-too-large"


class TakenError(OwnedError):
    """Another process has taken this folder meanwhile. Nothing of the last frame was acknowledged."""

    code = "folder-taken"
