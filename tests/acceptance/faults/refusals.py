"""A kernel that answers a process with an error of our choice, as a disk that breaks does: no root, no disk.

Seccomp hands some system calls (those that write, those that start processes) to a listener, which lets them
go on or answers them with an error (seccomp_unotify(2)). The filter is that of one thread of ours and of all
that it starts.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

WRITES = {"x86_64": (18, 74, 75), "aarch64": (68, 82, 83)}
"""pwrite64, fsync and fdatasync: with these a store is written."""
FORKS = {"x86_64": (56, 57, 58, 435), "aarch64": (220, 435)}
"""clone, fork, vfork and clone3: with these a process is started."""
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_NO_NEW_PRIVILEGES, _SET_FILTER, _NEW_LISTENER = 38, 1, 8
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NOTIFY, _ALLOW = 0x7FC00000, 0x7FFF0000
_RECEIVE, _SEND, _GO_ON = 0xC0502100, 0xC0182101, 1
_NOTICE_BYTES = 80

T = TypeVar("T")


class Refusals:
    """What a thread and its children are answered when they make certain system calls."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self._inside = ThreadPoolExecutor(1)
        self._listener = self._inside.submit(_filtered, numbers).result()
        self._ended = threading.Event()
        self._refused: tuple[int, int] | None = None
        self.count = 0
        self._answering = threading.Thread(target=self._answer_all, daemon=True)
        self._answering.start()

    def inside(self, act: Callable[[], T]) -> T:
        """Do something, and start processes, under the filter."""
        return self._inside.submit(act).result()

    @contextmanager
    def of(self, pid: int, error: int) -> Iterator[None]:
        """Answer every such call of one process with an error while the body runs."""
        self._refused = pid, error
        try:
            yield
        finally:
            self._refused = None

    def end(self) -> None:
        """Answer no more; nothing that was started inside may live still."""
        self._inside.shutdown()
        self._ended.set()
        self._answering.join()
        os.close(self._listener)

    def _answer_all(self) -> None:
        while not self._ended.is_set():
            if select.select([self._listener], [], [], 0.2)[0]:
                with suppress(OSError):  # the caller has gone meanwhile
                    self._answer()

    def _answer(self) -> None:
        notice = bytearray(_NOTICE_BYTES)
        fcntl.ioctl(self._listener, _RECEIVE, notice)
        name, thread = struct.unpack_from("QI", notice)
        refused = self._refused
        error = refused[1] if refused and Path(f"/proc/{refused[0]}/task/{thread}").exists() else 0
        self.count += bool(error)
        answer = struct.pack("QqiI", name, 0, -error, 0 if error else _GO_ON)
        fcntl.ioctl(self._listener, _SEND, answer)


@contextmanager
def refusals(calls: dict[str, tuple[int, ...]]) -> Iterator[Refusals]:
    """Give the means to refuse some system calls; skip the test where the kernel has none."""
    if platform.machine() not in calls:
        pytest.skip(f"the numbers of {platform.machine()}'s system calls are not known here")
    try:
        made = Refusals(calls[platform.machine()])
    except OSError as error:
        pytest.skip(f"no seccomp listener here: {error}")
    try:
        yield made
    finally:
        made.end()


def _filtered(numbers: tuple[int, ...]) -> int:
    """Put the filter on this thread and return its listener."""
    steps = [(_LOAD, 0, 0, 0)]
    steps += [(_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener = int(libc.syscall(_SECCOMP[platform.machine()], _SET_FILTER, _NEW_LISTENER, program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), errno.errorcode.get(ctypes.get_errno(), "?"))
    return listener
