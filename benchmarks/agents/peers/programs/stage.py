"""Drives one peer on request, in the peer's own environment: `python stage.py PROGRAM FOLDER`.

Reads one JSON request a line, answers each with one line. Everything that the peer starts stays below this
process (it is their subreaper), so that the measuring side finds all of it; that side also does the
measuring of processors and memory. When the requests end, or their writer does, the peer is stopped.
"""

import asyncio
import ctypes
import importlib
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
TEXT_LENGTH = 100

Send = Callable[[Sequence[int], str], Awaitable[Sequence[float] | None]]


class Program(Protocol):
    """One peer, as its users would write it: agents that count the messages they got and keep the last.

    Attributes:
        forms: name of a way of sending to how many messages it takes at once and what sends them. That
            returns the seconds each message took, or None where they all took as long as the call.
        rest_s: how long after the last acknowledgement the peer may still be at work on it, in seconds.
    """

    forms: Mapping[str, tuple[int, Send]]
    rest_s: float

    async def start(self, folder: Path) -> None:
        """Start everything but the agents; files go into `folder`."""

    async def make(self, agents: range) -> None:
        """Make more agents, numbered on from those there are; each has then been reached once."""

    async def handled(self) -> int:
        """Return how many messages the states of all agents together have counted."""

    async def stop(self) -> None:
        """Stop whatever was started."""


async def drive(program: Program, folder: Path, answers: TextIO) -> None:
    """Carry out requests from standard input until there are none."""
    await program.start(folder)
    _answer(answers, {"forms": {name: chunk for name, (chunk, _) in program.forms.items()}})
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            request = json.loads(line)
            _answer(answers, await _carried_out(program, request))
    finally:
        await program.stop()


async def _carried_out(program: Program, request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "make":
            await program.make(range(request["first"], request["first"] + request["agents"]))
            return {}
        case "send":
            draw = random.Random(request["seed"])
            agents = [draw.randrange(request["agents"]) for _ in range(request["messages"])]
            return await _sent(program, request["form"], agents)
        case "handled":
            return {"handled": await program.handled()}
    raise ValueError(f"nobody knows how to do {request['do']!r}")


async def _sent(program: Program, form: str, agents: list[int]) -> dict[str, Any]:
    chunk, send = program.forms[form]
    text = "x" * TEXT_LENGTH
    latencies: list[float] = []
    began = time.perf_counter()
    for start in range(0, len(agents), chunk):
        some = agents[start : start + chunk]
        before = time.perf_counter()
        each = await send(some, text)
        latencies += [time.perf_counter() - before] * len(some) if each is None else each
    wall_s = time.perf_counter() - began
    await asyncio.sleep(program.rest_s)
    latencies.sort()
    return {"wall_s": wall_s, "p50_s": _quantile(latencies, 0.5), "p99_s": _quantile(latencies, 0.99)}


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main(name: str, folder: str) -> int:
    """Drive the program of this name; what it prints goes to standard error."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        try:
            program: Program = importlib.import_module(name).Program()
            asyncio.run(drive(program, Path(folder), answers))
        except Exception as error:  # noqa: BLE001 - the edge of the process: the other side tells it
            traceback.print_exc()
            _answer(answers, {"error": f"{type(error).__name__}: {error}"})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
