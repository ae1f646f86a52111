"""Children: work done in forked copies of this process, several at once, each with an end that is certain.

A child starts with everything imported and leaves nothing behind in its parent, whatever it changes.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

POLL_S = 0.5
MEMORY_BYTES = 4 << 30
"""What a child may take: a bug that never stops collecting must not take the machine."""


@dataclass(slots=True)
class Child:
    """One child at work, and what it has said so far."""

    pid: int
    reads: int
    task: Any
    looked_at: float
    seen: frozenset[tuple[int, str]] = frozenset()
    said: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: what it answered (None: it could not), and why it could not."""

    task: Any
    answer: Any
    why: str


def each(
    tasks: Iterable[T], work: Callable[[T], object], *, jobs: int, cpu_s: float, asleep_s: float
) -> Iterator[Ended]:
    """Do `work` on each task in a child of its own; yield how they ended, as they end.

    Args:
        tasks: what is to be done.
        work: returns anything JSON can carry; an exception ends the child with no answer.
        jobs: how many children at once.
        cpu_s: what a child may use of CPU; it is ended with SIGXCPU beyond.
        asleep_s: how long a child may do nothing at all, with whatever it started; it is killed beyond. To
            wait for a processor is not to do nothing, so a busy machine ends nobody.
    """
    gc.collect()
    gc.freeze()
    waiting, working = iter(tasks), dict[int, Child]()
    try:
        for task in waiting:
            child = _start(task, work, cpu_s)
            working[child.reads] = child
            while len(working) >= jobs:
                yield from _heard(working, asleep_s)
        while working:
            yield from _heard(working, asleep_s)
    finally:
        for child in working.values():
            _end(child)


def fork() -> int:
    """Fork; the threads of this process do nothing just now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _start(task: Any, work: Callable[[Any], object], cpu_s: float) -> Child:
    reads, writes = os.pipe()
    pid = fork()
    if pid:
        os.close(writes)
        return Child(pid, reads, task, time.monotonic())
    code = 1
    try:
        os.close(reads)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s) + 1, int(cpu_s) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        answer = json.dumps({"answer": work(task)})
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the parent is told
        answer = json.dumps({"trace": traceback.format_exc()})
    with os.fdopen(writes, "wb") as pipe:
        pipe.write(answer.encode())
    os._exit(code)


def _heard(working: dict[int, Child], asleep_s: float) -> Iterator[Ended]:
    """Wait a moment for something to be said, and yield the children that have ended."""
    ready, _, _ = select.select(list(working), [], [], POLL_S)
    for reads in ready:
        said = os.read(reads, 1 << 16)
        working[reads].said += said
        if not said:
            child = working.pop(reads)
            os.close(reads)
            _, status = os.waitpid(child.pid, 0)
            yield _ended(child, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)
    for reads, child in list(working.items()):
        if time.monotonic() > child.looked_at + asleep_s and _asleep(child):
            del working[reads]
            _end(child)
            yield _ended(child, signal.SIGKILL)


def _asleep(child: Child) -> bool:
    """Whether nothing of a child has run, or wanted to, since it was looked at before."""
    before, child.looked_at = child.seen, time.monotonic()
    child.seen = frozenset(_activity(child.pid))
    return child.seen == before


def _activity(pid: int) -> Iterator[tuple[int, str]]:
    """Yield what each thread of a process and of its children has had of processors so far (proc(5))."""
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            runs = (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "R"
            yield int(task.name), str(time.monotonic()) if runs else (task / "schedstat").read_text()
            for each in (task / "children").read_text(encoding="ascii").split():
                yield from _activity(int(each))


def _ended(child: Child, number: int) -> Ended:
    try:
        said = json.loads(child.said)
    except ValueError:
        return Ended(child.task, None, f"signal {number}")
    return Ended(child.task, said.get("answer"), said.get("trace", ""))


def _end(child: Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    os.close(child.reads)
