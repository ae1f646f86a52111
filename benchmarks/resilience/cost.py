"""What a policy adds to a call, in processor time; beside other libraries, in turns, in one environment.

Each contestant wraps the same function, plain and awaited, that does nothing; what the bare function takes is
taken off. `policy` is deadline, retry, breaker and bulkhead; the others have the parts that their names say.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from benchmarks.agents.peers.environments import AbsentError, cache, made
from benchmarks.report import ROOT, Bound, Options, at_most, interleaved

CALLS, CALLS_QUICK = 20_000, 4_000
ROUNDS, ROUNDS_QUICK = 9, 3
BOUNDS: dict[str, Bound] = {
    "cost_plain_us": at_most(10.0),
    "cost_awaited_us": at_most(10.0),
    "cost_suspending_us": at_most(10.0),
}
OURS = {"plain": "cost_plain_us", "awaited": "cost_awaited_us", "suspending": "cost_suspending_us"}
PEERS = (
    "tenacity", "tenacity-awaited", "stamina", "stamina-awaited", "backoff", "backoff-awaited",
    "pybreaker", "circuitbreaker", "circuitbreaker-awaited", "purgatory-awaited", "pybreaker+tenacity",
)  # fmt: skip


async def measure(options: Options) -> None:
    """Measure ours and theirs in turns."""
    try:
        python = str(made("decorators", cache(), ROOT / "benchmarks" / "resilience" / "versions"))
        names = (*OURS, *PEERS)
    except AbsentError as error:
        options.progress(f"cost: without the others: {error}")
        python, names = sys.executable, tuple(OURS)
    calls, rounds = (CALLS_QUICK, ROUNDS_QUICK) if options.quick else (CALLS, ROUNDS)
    program = await _Program.started(python)
    try:
        contestants = {name: lambda name=name: program.measure(name, calls) for name in names}
        taken = await interleaved(contestants, rounds)
    finally:
        await program.end()
    for name, spread in taken.items():
        if name in OURS:
            options.figures.put(OURS[name], spread.median, BOUNDS[OURS[name]])
        else:
            options.figures.baselines[f"cost_{name.replace('-', '_')}_us"] = spread.median
    options.figures.parts["cost"] = {name: spread.values for name, spread in taken.items()}


class _Program:
    """The process in which all contestants are measured."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def started(cls, python: str) -> "_Program":
        process = await asyncio.create_subprocess_exec(
            python, str(Path(__file__).with_name("contestants.py")), cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        return cls(process)

    async def measure(self, name: str, calls: int) -> float:
        """Return microseconds that one call takes beyond the bare function."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, calls]).encode() + b"\n")
        return float(await self._process.stdout.readline())

    async def end(self) -> None:
        """End the process."""
        self._process.kill()
        await self._process.wait()
