"""Watches that no handler keeps its host from everything else for ever.

A thread looks at what the host's thread does. A handler that is still at it after its time is interrupted:
`TurnStuckError` is raised in it, between two steps of the interpreter. Should the handler have ended in that
very moment, the error ends the host instead, which loses nothing: what was not synced was not acknowledged.
A handler that is stuck in code that is not Python's is told of, and cannot be interrupted.
"""

import ctypes
import logging
import threading

from lamplighter.runtime.agents.errors import TurnStuckError
from lamplighter.runtime.agents.seats import Context, Item

LOOKS = 4
"""How often a handler is looked at within its time."""
_log = logging.getLogger("lamplighter.agents")


class Watch:
    """Watches over the handlers that run in the thread that makes it.

    Args:
        context: of the host.
        turn_timeout_s: how long a handler may run without giving way.
    """

    def __init__(self, context: Context, turn_timeout_s: float) -> None:
        self._context = context
        self._limit_s = turn_timeout_s
        self._watched = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lamplighter-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no longer."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        seen: Item | None = None
        looks = 0
        while not self._ended.wait(self._limit_s / LOOKS):
            current = self._context.current
            looks = looks + 1 if current is seen and current is not None else 0
            seen = current
            if current is not None and looks >= LOOKS:
                looks = 0
                self._context.counts.stuck += 1
                self._context.signals.count("stuck", current[1].partition("/")[0])
                _log.warning("turn-stuck address=%s limit_s=%g", current[1], self._limit_s)
                self._interrupt()

    def _interrupt(self) -> None:
        thread, error = ctypes.c_ulong(self._watched), ctypes.py_object(TurnStuckError)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)
