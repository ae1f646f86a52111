"""Whether the gateway still serves, asked as a caller would ask: it lives, but does it answer?

An exit is seen at once; a process that is stopped or stuck has no exit. So a request that costs next to
nothing is sent every second to the listener that only this machine reaches, and what the process
did meanwhile is read from /proc. Knows nothing of what is done about it.
"""

import asyncio
import time

from lamplighter.targets.local.supervisor.processes import used_ticks

EVERY_S = 1.0
STUCK_S = 5.0
"""So long without an answer, without having used any processor time and without waiting for any: stuck."""
LOST_S = 30.0
"""So long without an answer, whatever it does: it serves nobody."""
_ASKED = b"GET /-/pulse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_RUNNABLE, _STOPPED = "R", "Tt"


class Pulse:
    """The silence of one process, from its last answer on."""

    def __init__(self, pid: int) -> None:
        """Begin with a process that is taken to answer now."""
        self.pid = pid
        self._answered_at = time.monotonic()
        self._ticks = -1

    async def silent(self, port: int) -> str:
        """Ask once more; return in words for how long it has been stuck, empty if it is not.

        1. It answers, or cannot be asked (no network): nothing is held against it.
        2. Silent and idle for `STUCK_S`: stuck. One that is busy, or waits for a processor, is only slow.
        3. Silent for `LOST_S`, whatever it does: stuck as well.

        Args:
            port: where it listens on 127.0.0.1; what it answers does not matter.
        """
        if await _answers(port) is not False:
            self._answered_at = time.monotonic()
            return ""
        silent_s = time.monotonic() - self._answered_at
        seen = used_ticks(self.pid)
        if seen is None:
            return ""  # it has ended, and that is seen elsewhere
        state, ticks = seen
        idle, self._ticks = state in _STOPPED or (state != _RUNNABLE and ticks == self._ticks), ticks
        stuck = silent_s > LOST_S or (idle and silent_s > STUCK_S)
        return f"it had not answered for {silent_s:.0f} s" if stuck else ""


async def _answers(port: int) -> bool | None:
    """Return whether an answer came in time, None if it cannot be told.

    A connection that is closed unheard is an answer: who does that lives, and has as many as it may.
    """
    try:
        async with asyncio.timeout(EVERY_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_ASKED)
                await reader.read(1)
                return True
            finally:
                writer.close()
    except TimeoutError:
        return False
    except OSError:
        return None
