"""The maintainer as a process: `python -m lamplighter.faces.http --state DIR --system NAME --target M:F`.

Ends with 0 after SIGTERM or once the system has been taken down, else with the exit code of what ended it.
"""

import argparse
import asyncio
import importlib
import sys
from pathlib import Path
from typing import cast

from lamplighter.app.maintainer import Post, TargetFactory, maintain
from lamplighter.app.places import recording_limits
from lamplighter.engine.terms import Pace
from lamplighter.faces.http.server import serve
from lamplighter.model.errors import LampError, UserError


def main(arguments: list[str] | None = None) -> int:
    """Maintain one system until told to stop; return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        post = Post(
            state=asked.state.absolute(),
            system=asked.system,
            target=_factory(asked.target),
            serve=serve,
            pace=_pace(asked.interval),
            limits=recording_limits(),
        )
        asyncio.run(maintain(post))
    except LampError as error:
        for each in error.faults():
            mend = f"\n  mend: {each.mend}" if each.mend else ""
            sys.stderr.write(f"{each.code}: {each.message}{mend}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lamplighter-maintainer", description="maintains one system")
    parser.add_argument("--state", type=Path, required=True, help="the system's own state folder")
    parser.add_argument("--system", required=True, help="its name")
    parser.add_argument("--target", required=True, help="module:factory that makes its target")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between passes when idle")
    return parser


def _pace(interval_s: float) -> Pace:
    """Return the usual pace, with nothing slower than the interval asked for."""
    usual = Pace()
    return Pace(
        interval_s=interval_s,
        busy_interval_s=min(usual.busy_interval_s, interval_s),
        floor_s=min(usual.floor_s, interval_s),
    )


def _factory(name: str) -> TargetFactory:
    module, _, attribute = name.partition(":")
    try:
        return cast("TargetFactory", getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise UserError(f"there is no target factory {name}: {error}", code="unknown-target") from error


if __name__ == "__main__":
    sys.exit(main())
