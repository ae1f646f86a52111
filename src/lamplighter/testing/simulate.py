"""`python -m lamplighter.testing.simulate`: runs stories drawn from seeds, and shows what went wrong."""

import argparse
import sys
from collections.abc import Sequence

from lamplighter.testing.simulation import Report, simulate
from lamplighter.testing.story import story


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds that were asked for; 0 if every run was sound, else 1."""
    asked = _parser().parse_args(arguments)
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    failed = 0
    for seed in seeds:
        report = simulate(story(seed), seed=seed)
        failed += not report.sound
        _tell(report, everything=asked.trace)
        if failed and not asked.keep_going:
            break
    return 1 if failed else 0


def _tell(report: Report, *, everything: bool) -> None:
    if not report.sound or everything:
        sys.stdout.write(report.text() + "\n")
    rested = f"at rest at {report.rested_at:.0f} s" if report.rested_at is not None else "not at rest"
    rate = report.virtual_s / max(report.cpu_s, 1e-9) / 3600
    sys.stdout.write(
        f"seed {report.seed}: {'sound' if report.sound else 'UNSOUND'}, {report.virtual_s:.0f} s in"
        f" {report.cpu_s:.2f} s of CPU ({rate:.2f} h/s), {report.passes} passes, {report.actions} actions,"
        f" {report.maintainers} maintainers, {rested}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lamplighter.testing.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="run this one")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first of several (1)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="how many (10)")
    parser.add_argument("--keep-going", action="store_true", help="go on after a run that is not sound")
    parser.add_argument("--trace", action="store_true", help="show the trace of sound runs too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
