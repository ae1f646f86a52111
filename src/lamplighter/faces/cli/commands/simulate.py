"""`lamp simulate`: hours of a system lived through in virtual time, by chance or as they were recorded."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lamplighter.app.reading import recording
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.output import print_json
from lamplighter.faces.cli.render.simulated import compared, plain
from lamplighter.model.errors import UserError
from lamplighter.targets.simulated.troubles import KINDS
from lamplighter.testing.past import past
from lamplighter.testing.rehearsal import Hardship, Policy, drawn, story_of
from lamplighter.testing.runs import Asked, Runs, lived_through

UNSOUND = 1
USUAL_HOURS = 1.0
HOURS_MIN, HOURS_MAX = 0.05, 168.0
LINES, ALL_LINES = 40, 100_000


def run(asked: argparse.Namespace) -> int:
    """Simulate; 1 if something happened that must never happen: a fault of Lamplighter, with its trace."""
    _sane(asked)
    policies: dict[str, Policy] = {"as it is": lambda each: each}
    if asked.policy:
        policies[asked.policy] = chosen.policy(asked.policy)
    stories = {name: list(_asked(asked, over)) for name, over in policies.items()}
    results = {name: _live(asked, name, each) for name, each in stories.items()}
    if asked.json:
        print_json({name: plain(each) for name, each in results.items()})
    else:
        print(compared(results))
        for each in results.values():
            print("".join(f"\n{text}\n" for text in each.texts), end="")
    return 0 if all(each.sound == each.runs for each in results.values()) else UNSOUND


def _sane(asked: argparse.Namespace) -> None:
    for name, least in (("seeds", 1), ("troubles", 0)):
        if not getattr(asked, name) >= least:
            raise UserError(f"--{name} is at least {least}", code="bad-option")
    if asked.hours is not None and not HOURS_MIN <= asked.hours <= HOURS_MAX:
        raise UserError(
            f"--hours is between {HOURS_MIN:g} (three minutes) and {HOURS_MAX:g} (a week)", code="bad-option"
        )
    if unknown := [each for each in _kinds(asked) if each not in KINDS]:
        known = ", ".join(sorted(KINDS))
        raise UserError(f"there is no trouble {unknown[0]!r}", code="bad-option", mend=f"one of: {known}")
    if asked.trace and asked.seeds != 1:
        raise UserError("--trace shows one run", code="bad-option", mend="add --seeds 1")


def _kinds(asked: argparse.Namespace) -> tuple[str, ...]:
    return tuple(each for each in asked.only.split(",") if each)


def _asked(asked: argparse.Namespace, over: Policy) -> Iterator[Asked]:
    """Yield the runs that were asked for: of a recorded time, or drawn."""
    seeds, lines = range(asked.seed, asked.seed + asked.seeds), ALL_LINES if asked.trace else LINES
    if asked.from_recording is not None:
        state = Path() if asked.from_recording else chosen.system(asked)[1]
        with recording(state, asked.from_recording) as opened:
            lived = story_of(past(opened.passes(), over, hours=asked.hours or 0.0))
        yield from (Asked(lived, seed, lines) for seed in seeds)
        return
    wanted = chosen.project(asked).system
    if not wanted.services:
        raise UserError("the spec has no service to simulate", code="nothing-to-simulate")
    hours = asked.hours or USUAL_HOURS
    hardship = Hardship(hours=hours, troubles=asked.troubles, kinds=_kinds(asked))
    for seed in seeds:
        yield Asked(drawn(wanted, over, seed, hardship), seed, lines)


def _live(asked: argparse.Namespace, name: str, stories: list[Asked]) -> Runs:
    whole = Runs(traced=asked.trace)
    for each in lived_through(stories, jobs=min(len(stories), os.cpu_count() or 1)):
        whole.take(each)
        if sys.stderr.isatty():
            end = "\n" if whole.runs == len(stories) else "\r"
            sys.stderr.write(f"{name}: {whole.runs} of {len(stories)} runs{end}")
            sys.stderr.flush()
    return whole
