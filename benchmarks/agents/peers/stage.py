"""A running peer: its stage process, what is asked of it, and that nothing of it is left at the end."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.agents.peers import counting

PROGRAMS = Path(__file__).parent / "programs"
KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
START_S = 120.0
STOP_S = 40.0
END_S = 10.0
LOOK_S = 0.05
LOG_TAIL = 800


class PeerFailedError(Exception):
    """A peer that is installed did not do what was asked; the message has the end of what it said."""


class Stage:
    """The process that drives a peer; everything of the peer is below it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log

    def answer(self, within_s: float) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            PeerFailedError: there was none within that time, or it says what went wrong.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], within_s)
        line = self._process.stdout.readline() if ready else b""
        answer: dict[str, Any] = json.loads(line) if line else {"error": f"no answer within {within_s:g} s"}
        if "error" in answer:
            said = self._log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]
            raise PeerFailedError(f"{answer['error']}\n{said}".strip())
        return answer

    def ask(self, within_s: float, **request: Any) -> dict[str, Any]:
        """Make a request (see `programs/stage.py`) and return its answer."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # then the answer that is there says why
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return self.answer(within_s)


@contextmanager
def staged(python: Path, program: str, settings: Mapping[str, str], scratch: Path | None) -> Iterator[Stage]:
    """Start a program's stage in a folder of its own and yield it; at the end both are gone.

    Args:
        python: the interpreter of the peer's environment.
        program: a module in `programs/`.
        settings: more environment for it.
        scratch: in which folder its own is made; the system's for temporary files by default. Sockets lie
            in it, so its path must be short; what is durable is synced to its disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="peer-", dir=scratch))
    log = folder / "stage.log"
    environment = {key: os.environ[key] for key in KEPT if key in os.environ}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **settings}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [str(python), str(PROGRAMS / "stage.py"), program, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
            env=environment,
            start_new_session=True,
        )
    try:
        yield Stage(process, log)
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let the stage stop its peer; kill by identity what of it is left after that."""
    known = counting.identities(counting.tree(process.pid))
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    known |= counting.identities(counting.tree(process.pid))
    until = time.monotonic() + END_S
    while (left := [each for each in known if counting.still(each)]) and time.monotonic() < until:
        for pid, _ in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)
    process.wait(END_S)
