"""Writing what must be kept, on a disk that may be full: once more with the reserve spent, then without."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from lamplighter.targets.local.supervisor.processes import boot_id
from lamplighter.targets.local.supervisor.state import Reserve, State, StateFile

SAVE_SOON_S = 0.02

Say = Callable[..., None]


class Keeping:
    """The state of one supervisor, in memory and on disk. A write that fails is said, never raised."""

    def __init__(self, folder: Path, say: Say) -> None:
        """Read what is kept in `folder`; with nothing there, or nothing whole, start with nothing."""
        self._file = StateFile(folder)
        self._reserve = Reserve(folder / "reserve")
        self._say = say
        self._soon: asyncio.TimerHandle | None = None
        self._dropped = False
        self.faults: dict[str, str] = {}
        self.state = self._file.load() or State(boot=boot_id())
        self.state.token = max(self.state.token, self._file.fence())

    def save(self) -> None:
        """Save now."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self.write("state-not-written", lambda: self._file.save(self.state))

    def save_soon(self) -> None:
        """Save what happened; several things that happen together are saved together."""
        if self._soon is None and not self._dropped:
            self._soon = asyncio.get_running_loop().call_later(SAVE_SOON_S, self.save)

    def raise_fence(self, token: int) -> None:
        """Keep the highest token seen."""
        if token > self.state.token:
            self.state.token = token
            self.write("fence-not-written", lambda: self._file.raise_fence(token))

    def drop(self) -> None:
        """Remove everything but the fence, for good."""
        self._dropped = True
        if self._soon is not None:
            self._soon.cancel()
        self._file.drop()
        self._reserve.spend()

    def write(self, fault: str, write: Callable[[], None]) -> None:
        """Write; on a full disk once more with the reserve spent; then go on without, and say so."""
        try:
            write()
        except OSError:
            self._reserve.spend()
            try:
                write()
            except OSError as error:
                if fault not in self.faults:
                    self._say(fault, error=str(error))
                self.faults[fault] = f"{fault}: {error}"
                return
        else:
            self._reserve.fill()
        self.faults.pop(fault, None)
