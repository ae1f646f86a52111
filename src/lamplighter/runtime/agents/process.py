"""The process that hosts a pool's agents: what a replica of a pool runs, and what may be run by hand.

    python -m lamplighter.runtime host --folder swarm --agents library.swarm --partitions 64 --shards 8

SIGTERM (or SIGINT) lets it leave: other hosts take its shards, and it ends once it has none.
"""

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamplighter.model.errors import LampError, UserError
from lamplighter.runtime.agents.pauses import steady
from lamplighter.runtime.agents.pool.loading import loaded
from lamplighter.runtime.agents.pool.pool import Pool

_log = logging.getLogger("lamplighter.agents")
OPEN_FILES = 65_536
"""Wanted for segments and connections; fewer if the system allows no more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Host until told to leave; returns the exit code."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    _more_files()
    if "" not in sys.path:
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as the interpreter itself would write it
    try:
        asyncio.run(_host(asked))
    except LampError as error:
        for fault in error.faults():
            mend = f"\n   mend: {fault.mend}" if fault.mend else ""
            print(f"{fault.code}: {fault.message}{mend}", file=sys.stderr)  # noqa: T201 - the command's output
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lamplighter.runtime", description="Run agents.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    host = commands.add_parser("host", help="host agents of a pool, with others that name its folder")
    host.add_argument("--folder", type=Path, required=True, help="of the pool; made if there is none")
    host.add_argument(
        "--agents", required=True, metavar="NAMES", help="module:Class or module, several with commas between"
    )
    host.add_argument("--partitions", type=int, default=64, help="parts the agents are dealt into, for ever")
    host.add_argument("--shards", type=int, default=8, help="journals, which is hosts that can share them")
    host.add_argument("--port", type=int, default=_port(), help="for HTTP; $PORT if not given, none without")
    host.add_argument("--bind", default="127.0.0.1", metavar="ADDRESS", help="to listen on for HTTP")
    return parser


def _port() -> int | None:
    port = os.environ.get("PORT", "")
    return int(port) if port.isdigit() else None


async def _host(asked: argparse.Namespace) -> None:
    """Host, and serve what comes over HTTP, until the process is told to leave or the folder is gone."""
    agents = loaded(name for name in asked.agents.split(",") if name)
    if not agents:
        raise UserError("--agents names none", mend="name module:Class or module", code="agents-unloadable")
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with Pool(asked.folder, agents, partitions=asked.partitions, shards=asked.shards) as pool:
        steady()
        _log.info("host-begun name=%s folder=%s", pool.name, asked.folder)
        serving = loop.create_task(_served(pool, asked.bind, asked.port)) if asked.port is not None else None
        waiting, ended = loop.create_task(told.wait()), pool.ended
        ends: list[asyncio.Future[Any]] = [waiting, ended, *([serving] if serving is not None else [])]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await pool.leave()
        waiting.cancel()
        if serving is not None:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
        if ended.done():
            ended.result()
    _log.info("host-ended name=%s", pool.name)


async def _served(pool: Pool, bind: str, port: int) -> None:
    """Serve what comes over HTTP until cancelled."""
    http = importlib.import_module("lamplighter.runtime.agents.http")  # a web server, only if it is needed
    await http.serve(pool, bind, port)


def _more_files() -> None:
    """Allow this process as many open files as the system lets it have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
