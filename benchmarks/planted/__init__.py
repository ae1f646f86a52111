"""Planted bugs: each is put into what decides, and stories of seeds are told until a checker tells of it.

No story is made for a bug, and no checker knows of one. What only breaks down is not told.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.planted.bugs import BUGS, Bug
from benchmarks.planted.planting import Showing, shown
from benchmarks.report import CannotRunError, Figures, Options, exactly

SEEDS = 500
LENGTH_S = 3600.0
SHOWN = Path(__file__).parent / "shown.json"
"""By bug: a seed that shows it, and how long faults go on in that story. Renewed by `--renew`."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be asked besides."""
    parser.add_argument("--bug", nargs="+", default=[], metavar="NAME", help="these bugs only")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"stories to tell for each at most ({SEEDS})")
    parser.add_argument("--length", type=float, default=LENGTH_S, metavar="S", help="how long faults go on")
    parser.add_argument("--jobs", type=int, metavar="N", help="so many at once (as many as there are cores)")
    parser.add_argument("--renew", action="store_true", help="note the seeds for the tests; short stories do")


def run(options: Options) -> Figures:
    """Look for the bugs that were asked for."""
    asked = options.asked
    if unknown := sorted(set(asked.bug) - {each.name for each in BUGS}):
        raise CannotRunError(f"no planted bug is called {unknown[0]!r}")
    bugs = [each for each in BUGS if not asked.bug or each.name in asked.bug]
    return search(bugs, asked.length, asked.seeds or SEEDS, options)


def search(bugs: Sequence[Bug], length_s: float, count: int, options: Options) -> Figures:
    """Look for bugs, each in at most so many stories of this length, and put down figures and table.

    A quick run tells each only the story that is known to show it; of a bug without one it tells none.
    """
    found: dict[str, Showing] = {}
    jobs = options.asked.jobs or os.cpu_count() or 1
    for some, seeds, long_s in _known(bugs) if options.quick else [(bugs, _seeds(options, count), length_s)]:
        for each in shown(some, seeds, long_s, jobs):
            found[each.bug] = each
            if each.seed and getattr(options.asked, "renew", False):
                renew(each, long_s)
            options.progress(_line(each))
    listed = [found[each.name] for each in bugs if each.name in found]
    figures = options.figures
    figures.put("planted", len(listed))
    figures.put("planted_unseen", sum(not each.seed for each in listed), exactly(0))
    figures.put("planted_seeds_max", max((each.tried for each in listed if each.seed), default=None))
    figures.parts["planted"] = [each._asdict() for each in listed]
    print("\n".join(_line(each) for each in listed))
    return figures


def _seeds(options: Options, count: int) -> Sequence[int]:
    return range(options.seed, options.seed + count)


def _known(bugs: Sequence[Bug]) -> list[tuple[list[Bug], Sequence[int], float]]:
    """Bugs by the story that is known to show them."""
    known, groups = known_seeds(), dict[tuple[int, float], list[Bug]]()
    for each in bugs:
        if each.name in known:
            groups.setdefault(known[each.name], []).append(each)
    return [(some, [seed], length_s) for (seed, length_s), some in sorted(groups.items())]


def renew(found: Showing, length_s: float) -> None:
    """Note the seed that shows a bug, beside those that are known of others."""
    known = known_seeds() | {found.bug: (found.seed, length_s)}
    names = {each.name for each in BUGS}
    SHOWN.write_text(json.dumps({k: v for k, v in sorted(known.items()) if k in names}, indent=1) + "\n")


def known_seeds() -> dict[str, tuple[int, float]]:
    """By bug: a seed that has shown it, and the length of that story in seconds."""
    if not SHOWN.exists():
        return {}
    rows = json.loads(SHOWN.read_text(encoding="utf-8"))
    return {name: (int(seed), float(length_s)) for name, (seed, length_s) in rows.items()}


def _line(each: Showing) -> str:
    told = f"seed {each.seed} by {', '.join(each.checkers)}" if each.seed else "by none"
    return f"{each.bug:28} {told}; {each.tried} tried, {each.cpu_s:.1f} s of CPU"
