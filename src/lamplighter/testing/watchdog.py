"""The watchdog: on virtual time nothing ever times out; a loop without an end shows by the CPU it uses."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class HungError(BaseException):
    """Something has used far more CPU than it may. Not an Exception: no edge of a loop may catch it."""


@contextlib.contextmanager
def watched(cpu_s: float) -> Iterator[None]:
    """Raise HungError in whatever runs once so much CPU has been used; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def bite(_number: int, frame: FrameType | None) -> None:
        place = f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})" if frame else "?"
        raise HungError(f"{cpu_s:g} s of CPU, and still in {place}")

    before = signal.signal(signal.SIGVTALRM, bite)
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)
