"""`python -m lamplighter.testing.simulate`: runs stories drawn from seeds, and shows what went wrong."""

import argparse
import sys
from collections.abc import Sequence

from lamplighter.engine.step import resting
from lamplighter.testing.report import Parts, Report
from lamplighter.testing.simulation import simulate
from lamplighter.testing.story import story
from lamplighter.testing.twofold import Twofold


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds that were asked for; 0 if every run was sound, else 1."""
    asked = _parser().parse_args(arguments)
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    failed = 0
    for seed in seeds:
        step = Twofold() if asked.twofold else resting()
        report = simulate(story(seed), seed=seed, parts=Parts(trace_lines=asked.lines, step=step))
        failed += not report.sound
        _tell(report, everything=asked.trace)
        if failed and not asked.keep_going:
            break
    return 1 if failed else 0


def _tell(report: Report, *, everything: bool) -> None:
    if not report.sound or everything:
        sys.stdout.write(report.text() + "\n")
    sys.stdout.write(report.summary() + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lamplighter.testing.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="run this one")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first of several (1)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many (10)")
    parser.add_argument("--keep-going", action="store_true", help="go on after a run that is not sound")
    parser.add_argument("--lines", type=int, default=60, metavar="N", help="how long a trace is shown (60)")
    parser.add_argument("--trace", action="store_true", help="show the trace of sound runs too")
    parser.add_argument("--twofold", action="store_true", help="make each pass in both forms and compare")
    return parser


if __name__ == "__main__":
    sys.exit(main())
