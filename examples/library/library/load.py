"""Fills halls with readers: `python -m library.load --folder swarm --agents 1000000`, and asks ten of them.

A hall has one reader for every section; more readers are more halls. The agents live in a pool's folder,
which two processes host for as long as this takes, beside those that do already. What is loaded stays: the
same command goes on where it ended, however it ended, and one with a larger number adds to it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lamplighter.model.errors import LampError
from lamplighter.runtime import AgentClient
from library.passages import Passage, gather
from library.questions import WRITTEN
from library.swarm import REPORT_S, Answer, Ask, HowFar, Placed, placement

__all__ = ["Bar", "load", "main"]

BATCH = 2000
"""Readers placed before the librarian notes it; after a crash at most two of these are placed anew."""
SHOWN_S = 0.2
"""Between two looks of the bar; where the output is no terminal, a line every 5 s."""
SETTLED_S = 60.0
START_S = 60.0
ASKED = 10
_PDEATHSIG = 1


class Bar:
    """How far it is, how fast, and how long it will take: a line that moves, or lines where that cannot be.

    Args:
        of: how many there will be.
        begun: how many there were to begin with.
    """

    def __init__(self, of: int, begun: int) -> None:
        self._of, self._begun = of, begun
        self._began = self._shown = time.monotonic()
        self._moves = sys.stderr.isatty()

    def show(self, done: int) -> None:
        """Show it, if it is time."""
        now = time.monotonic()
        if now - self._shown < (SHOWN_S if self._moves else 5.0) and done < self._of:
            return
        self._shown = now
        text = bar(done, self._of, (done - self._begun) / max(1e-9, now - self._began))
        print(f"\r\x1b[2K{text}" if self._moves else text, end="" if self._moves else "\n", file=sys.stderr)
        if self._moves and done >= self._of:
            print(file=sys.stderr)
        sys.stderr.flush()


def bar(done: int, of: int, rate: float) -> str:
    """The bar in words and strokes; `rate` is readers a second."""
    full = 30 * done // max(1, of)
    left = f"{(of - done) / rate:,.0f} s left" if rate > 0 else "? left"
    return f"[{'#' * full}{'.' * (30 - full)}] {done:,} of {of:,}  {rate:,.0f}/s  {left}"


async def load(client: AgentClient, agents: int, sections: Sequence[Passage]) -> int:
    """Place readers until there are so many; returns how many were placed this time.

    Raises:
        LampError: the hosts refused a message for good.
        SystemExit: the folder was filled with other sections than this interpreter has.
    """
    far: tuple[int, int] = await client.ask("librarian/main", HowFar(), tuple[int, int], timeout_s=START_S)
    have, per_hall = far
    if have and per_hall != len(sections):
        raise SystemExit(
            f"the halls have {per_hall} sections each, this version of Python {len(sections)}: "
            "go on with the interpreter that began, or in another folder"
        )
    shown, before = Bar(agents, have), None
    for first in range(have, agents, BATCH):
        upto = min(first + BATCH, agents)
        batch = asyncio.gather(*(client.send(*placement(n, sections)) for n in range(first, upto)))
        if before is not None:
            await _noted(client, *before, len(sections), shown)
        before = (batch, upto)
    if before is not None:
        await _noted(client, *before, len(sections), shown)
    return max(0, agents - have)


async def _noted(
    client: AgentClient, batch: asyncio.Future[list[None]], upto: int, sections: int, shown: Bar
) -> None:
    """Wait until a batch is on the disk, and let the librarian note it."""
    await batch
    await client.send("librarian/main", Placed(upto, sections))
    shown.show(upto)


async def settled(client: AgentClient, agents: int) -> dict[str, int]:
    """Wait until all that was sent is read and reported; returns how many agents of each kind there are."""
    until = time.monotonic() + SETTLED_S
    counts = await client.inspect.kinds()
    while counts.get("reader", 0) < agents and time.monotonic() < until:
        await asyncio.sleep(SHOWN_S)
        counts = await client.inspect.kinds()
    await asyncio.sleep(3 * REPORT_S)
    return counts


async def tried(client: AgentClient, agents: int, sections: int) -> int:
    """Ask ten questions in halls far from each other; returns how many were answered."""
    halls = max(1, agents // sections)
    answered = 0
    for n, question in enumerate([*WRITTEN][4 :: len(WRITTEN) // ASKED][:ASKED]):
        hall = 1 + n * (halls - 1) // (ASKED - 1)
        began = time.monotonic()
        answer = await client.ask(f"critic/load-{n}", Ask(question, str(hall), k=1), Answer)
        took_ms = 1000 * (time.monotonic() - began)
        answered += 1 if answer.citations else 0
        print(f"  {took_ms:4.0f} ms  hall {hall:>4}  {question}\n{' ' * 22}{_shown(answer)}")
    return answered


def _shown(answer: Answer) -> str:
    if not answer.citations:
        return answer.text
    best = answer.citations[0]
    return f"{best.title}, line {best.line} ({best.where}): {best.text[:60]}"


@contextmanager
def hosted(folder: Path, hosts: int) -> Iterator[None]:
    """Start host processes that join the pool, and let them leave it afterwards.

    Raises:
        SystemExit: one of them ended at once; it has said why.
    """
    command = [sys.executable, "-m", "lamplighter.runtime", "host", "--folder", str(folder)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environ.pop("PORT", None)
    log = folder / "load.log"
    started = []
    try:
        for _ in range(hosts):
            with log.open("ab") as said:
                process = subprocess.Popen(
                    [*command, "--agents", "library.swarm"],
                    env=environ,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread has been started yet
                )
            started.append(process)
        _wait_until_made(folder, started, log)
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait()


def _end_with_parent() -> None:
    """Have the kernel tell this process to end when the one that started it is killed (prctl(2))."""
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)


def _wait_until_made(folder: Path, started: list[subprocess.Popen[bytes]], log: Path) -> None:
    """Wait until the pool is there."""
    until = time.monotonic() + START_S
    while started and not (folder / "pool.json").exists():
        if any(process.poll() is not None for process in started) or time.monotonic() > until:
            raise SystemExit(f"the hosts did not start: see {log}")
        time.sleep(0.02)


def figures(counts: dict[str, int], placed: int, seconds: float, pids: list[int], folder: Path) -> str:
    """What came of it, as the lines that are printed."""
    kinds = ", ".join(f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in counts.items())
    rate = f", {placed / seconds:,.0f}/s" if placed else ""
    memory = f"{sum(map(_memory, pids)) / 2**20:,.0f} MiB in {len(pids)} hosts" if pids else "?"
    disk = sum(each.stat().st_blocks * 512 for each in folder.rglob("*") if each.is_file())
    lines = [
        f"  agents   {kinds}",
        f"  placed   {placed:,} readers in {seconds:,.1f} s{rate}",
        f"  memory   {memory}",
        f"  disk     {disk / 2**20:,.0f} MiB in {folder}",
    ]
    return "\n".join(lines)


def _memory(pid: int) -> int:
    """What a process has in memory, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS"))


def _pids(folder: Path) -> list[int]:
    """The processes that host the folder: each has a file there, named after its pid."""
    names = [each.name.partition("-")[0] for each in (folder / "hosts").glob("*-*")]
    return [int(name) for name in names if name.isdigit() and Path(f"/proc/{name}").exists()]


async def _run(folder: Path, agents: int) -> int:
    began = time.monotonic()
    sections = gather()
    async with AgentClient.of(folder, f"load-{os.getpid()}-{time.time_ns()}") as client:
        placed = await load(client, agents, sections)
        counts = await settled(client, agents)
        print(figures(counts, placed, time.monotonic() - began, _pids(folder), folder))
        answered = await tried(client, agents, len(sections))
    complete = counts.get("reader", 0) >= agents
    print(f"{answered} of {ASKED} questions answered with a citation")
    return 0 if complete and (answered or agents < len(sections)) else 1


def main(arguments: Sequence[str]) -> int:
    """Load, tell, ask; returns the exit code: 0 done, 1 something is missing, 2 bad arguments, 130 ended."""
    asked = _parser().parse_args(arguments)
    if asked.agents < 1:
        print("--agents: at least 1", file=sys.stderr)
        return 2
    try:
        asked.folder.mkdir(parents=True, exist_ok=True)
        with hosted(asked.folder, asked.hosts):
            return asyncio.run(_run(asked.folder, asked.agents))
    except (LampError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nended; the same command goes on where this one was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m library.load",
        description="Fill halls of the library with readers, and ask ten questions.",
        epilog="To go on after an interruption, give the same command again.",
    )
    parser.add_argument("--folder", type=Path, required=True, help="of the pool; made if there is none")
    parser.add_argument("--agents", type=int, default=20_000, help="readers there shall be (default 20000)")
    parser.add_argument(
        "--hosts", type=int, default=2, help="processes that host it meanwhile (2); 0 if it is hosted anyway"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
