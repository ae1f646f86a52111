"""Where a system's state stands on this machine, and whether it may be written."""

import errno
import os
from pathlib import Path

from lamplighter.adapters.recordings import Limits
from lamplighter.model.errors import EnvironmentFault, HeldError, UserError
from lamplighter.spec.units import size

VARIABLE = "LAMP_STATE_DIR"
RECORDING_SIZE = "LAMP_RECORDING_SIZE"
RECORDING_BYTES_MIN = 2**16


def state_root() -> Path:
    """Return the folder that holds the state of all systems of this user."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "lamplighter"


def state_of(system: str) -> Path:
    """Return the folder of one system's state; it need not exist."""
    return state_root() / system


def prepare(state: Path) -> None:
    """Make the state folder, for this user only.

    Raises:
        EnvironmentFault: it cannot be written (`state-not-writable`); nothing has been started.
        HeldError: there is no room (`disk-full`).
    """
    probe = state / ".writable"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.touch()
        probe.unlink()
    except OSError as error:
        refuse_full(state, error)
        raise EnvironmentFault(
            f"cannot write to the state folder {state}: {error.strerror}",
            code="state-not-writable",
            mend=f"set {VARIABLE} to a folder that you may write to",
        ) from error


def recording_limits() -> Limits:
    """Return how much of the recording is kept: what the variable says, else the usual.

    Raises:
        UserError: the variable holds no size, or less than 64 KiB (`recording-size`).
    """
    chosen = os.environ.get(RECORDING_SIZE)
    if not chosen:
        return Limits()
    try:
        total_bytes = size(chosen)
    except ValueError:
        total_bytes = 0
    if total_bytes < RECORDING_BYTES_MIN:
        raise UserError(
            f"{RECORDING_SIZE}={chosen} is not a size of at least 64Ki",
            code="recording-size",
            mend=f"set {RECORDING_SIZE} to a size such as 256Mi, or leave it unset",
        )
    # A sixteenth at a time is dropped, so that what is kept never falls far below the size.
    return Limits(total_bytes=total_bytes, group_bytes=min(Limits().group_bytes, total_bytes // 16))


def refuse_full(state: Path, error: OSError) -> None:
    """Raise HeldError (`disk-full`) if that is what an error means: no room, no inode, or a quota."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise HeldError(
            f"the disk that holds {state} is full, or holds as many files as it may: {error.strerror}",
            code="disk-full",
            mend="free some space there; what runs goes on meanwhile",
        ) from error


def only_system() -> str:
    """Return the name of the one system that has state here.

    Raises:
        UserError: there is none, or more than one (`which-system`).
    """
    root = state_root()
    found = sorted(each.name for each in root.iterdir() if each.is_dir()) if root.is_dir() else []
    if len(found) == 1:
        return found[0]
    listed = ", ".join(found) or "none"
    raise UserError(
        f"there is no lamp.yaml here, and it is not clear which system is meant (here: {listed})",
        code="which-system",
        mend="go to the folder of the spec, or name it: --spec FILE or --system NAME",
    )
