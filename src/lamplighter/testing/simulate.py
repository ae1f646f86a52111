"""`python -m lamplighter.testing.simulate`: runs stories drawn from seeds, and shows what went wrong."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lamplighter import __version__
from lamplighter.testing import campaign
from lamplighter.testing.campaign import Campaign, Tally
from lamplighter.testing.report import Parts, Report
from lamplighter.testing.shrink import shrunk
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import HOUR_S, story
from lamplighter.testing.twofold import Twofold

SOUND, UNSOUND, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds that were asked for; 0 if every run was sound, 1 if not, 130 if interrupted."""
    asked = _parser().parse_args(arguments)
    if asked.jobs is not None or asked.resume is not None:
        return _campaign(asked)
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    failed = 0
    for seed in seeds:
        parts = Parts(trace_lines=asked.lines, step=Twofold() if asked.twofold else None)
        report = simulate(story(seed, length_s=asked.length), seed=seed, parts=parts)
        failed += not report.sound
        _tell(report, everything=asked.trace)
        if asked.shrink and (found := shrunk(story(seed, length_s=asked.length), seed)):
            sys.stdout.write(found[1])
        if failed and not asked.keep_going:
            break
    return UNSOUND if failed else SOUND


def _campaign(asked: argparse.Namespace) -> int:
    made = Campaign(asked.first, asked.seeds, version=__version__, length_s=asked.length)
    if asked.resume is not None:
        made.resume(asked.resume)
    try:
        tally = made.run(asked.jobs or os.cpu_count() or 1, tell)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; --resume goes on from the state file\n")
        return INTERRUPTED
    sys.stdout.write(campaign.table(tally) + "\n" + made.progress() + "\n")
    return UNSOUND if tally.failures else SOUND


def tell(made: Campaign, new: Tally) -> None:
    """Say what a batch found, and how far the campaign is."""
    for each in new.failures:
        sys.stderr.write(f"\n{each.text}\n")
    end = "\r" if sys.stderr.isatty() else "\n"
    sys.stderr.write(made.progress() + end)
    sys.stderr.flush()


def _tell(report: Report, *, everything: bool) -> None:
    if not report.sound or everything:
        sys.stdout.write(report.text() + "\n")
    sys.stdout.write(report.summary() + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lamplighter.testing.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="run this one")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first of several (1)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many (10)")
    parser.add_argument(
        "--length", type=float, default=HOUR_S, metavar="S", help="virtual seconds until faults end (3600)"
    )
    parser.add_argument("--keep-going", action="store_true", help="go on after a run that is not sound")
    parser.add_argument("--lines", type=int, default=60, metavar="N", help="how long a trace is shown (60)")
    parser.add_argument("--trace", action="store_true", help="show the trace of sound runs too")
    parser.add_argument(
        "--shrink", action="store_true", help="print the smallest story that fails alike, as a test"
    )
    parser.add_argument("--twofold", action="store_true", help="make each pass in both forms and compare")
    parser.add_argument("--jobs", type=int, default=None, metavar="N", help="a campaign in so many processes")
    parser.add_argument(
        "--resume", type=Path, default=None, metavar="FILE", help="go on with the campaign of this state file"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
