"""`lamp logs NAME`: what the replicas of a workload write, with or without a maintainer."""

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

from lamplighter.app.answering import reached
from lamplighter.app.reading import remembered
from lamplighter.app.wiring import local_target
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.output import print_json_line
from lamplighter.faces.cli.render.paint import paint
from lamplighter.model.errors import UnreachableError, UserError
from lamplighter.ports import LogLine


def run(asked: argparse.Namespace) -> int:
    """Print lines, each with its replica's name; go on with -f until Ctrl-C."""
    name, state = chosen.system(asked)
    for line in _lines(asked, name, state):
        if asked.json:
            print_json_line(line)
        else:
            print(f"{paint(line.replica, 'dim')} {line.text}", flush=asked.follow)
    return 0


def _lines(asked: argparse.Namespace, name: str, state: Path) -> Iterator[LogLine]:
    try:
        yield from reached(state, name).logs(asked.name, follow=asked.follow, tail=asked.tail)
    except UnreachableError:
        if asked.follow:
            raise
        yield from _from_files(asked, name, state)


def _from_files(asked: argparse.Namespace, name: str, state: Path) -> list[LogLine]:
    history, _, clock = remembered(state)
    if asked.name not in history.workloads:
        known = ", ".join(history.workloads) or "none"
        raise UserError(
            f"there is no workload {asked.name}", code="unknown-workload", mend=f"one of: {known}"
        )
    target = local_target(state, name, clock)

    async def collected() -> list[LogLine]:
        return [each async for each in target.logs(asked.name, follow=False, tail=asked.tail)]

    return asyncio.run(collected())
