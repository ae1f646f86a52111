"""Silences a process's unix socket from outside, and gives it back: the process itself is never touched.

The socket's file is moved aside and something that refuses, hangs, babbles or dawdles is put in its place.
Whoever connects meets that; whoever is connected stays so.
"""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path
from random import Random

HOWS = ("refuse", "hang", "garbage", "slow")
"""A file that nobody listens on; accepted and never answered; nonsense; the truth, too late.

No file at all is no silence but a loss, which the supervisor mends by a new gateway.
"""
GARBAGE_BYTES = 512
SLOW_S = 5.0
"""Longer than anything that waits for an answer here."""
PIECE_BYTES = 1 << 16


class Silence:
    """One socket, silenced from `begin` to `end`; both may be called again."""

    def __init__(self, path: Path, how: str, seed: int = 1) -> None:
        """Take the socket's path and one of `HOWS`; nothing is touched yet."""
        assert how in HOWS, f"{how} is none of {HOWS}"
        self.path, self.how = path, how
        self._away = path.with_name(f"{path.name}.away")
        self._draw = Random(f"silence:{seed}")
        self._server: asyncio.Server | None = None
        self._own: tuple[int, int] | None = None
        self._held: set[asyncio.StreamWriter] = set()

    async def begin(self) -> bool:
        """Put the stand-in there; False if there is no socket to silence."""
        try:
            self.path.rename(self._away)
        except FileNotFoundError:
            return False
        if self.how == "refuse":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(self.path))
        else:
            self._server = await asyncio.start_unix_server(self._meet, str(self.path))
        self._own = _identity(self.path)
        return True

    async def end(self) -> bool:
        """Give the socket back, unless its owner has made a new one meanwhile; return whether it was kept."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for each in list(self._held):
            each.close()
        kept = not self.replaced
        if kept:
            with suppress(FileNotFoundError):
                self._away.rename(self.path)
        else:
            self._away.unlink(missing_ok=True)
        return kept

    @property
    def replaced(self) -> bool:
        """Whether somebody else's socket stands there now."""
        return _identity(self.path) not in (None, self._own)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._held.add(writer)
        try:
            if self.how == "garbage":
                await reader.read(PIECE_BYTES)
                writer.write(self._draw.randbytes(GARBAGE_BYTES))
                await writer.drain()
            elif self.how == "slow":
                await self._late(reader, writer)
            else:
                await reader.read()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._held.discard(writer)
            writer.close()

    async def _late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on to the real one, and its answers back `SLOW_S` later."""
        real_reader, real_writer = await asyncio.open_unix_connection(str(self._away))
        try:
            while data := await reader.read(PIECE_BYTES):
                real_writer.write(data)
                answer = await real_reader.read(PIECE_BYTES)
                await asyncio.sleep(SLOW_S)
                writer.write(answer)
                await writer.drain()
        finally:
            real_writer.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another of the same name; a number alone is soon used again."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def sockets(state: Path) -> dict[str, Path]:
    """Return the sockets of a local system that tell of it: the gateway's and the supervisor's.

    Args:
        state: the system's state folder.
    """
    return {
        "gateway": Path(os.path.realpath(state / "gateway")) / "admin.sock",
        "supervisor": state / "supervisor" / "supervisor.sock",
    }
