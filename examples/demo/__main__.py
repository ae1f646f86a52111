"""The command `python -m examples.demo`: runs the story, prints the table, and leaves nothing behind."""

import argparse
import asyncio
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from examples.demo import leftovers
from examples.demo.picture import draw
from examples.demo.record import NotHeldError, Record
from examples.demo.story import FULL, QUICK, Pace, Story
from examples.demo.table import judged, table, verdict
from examples.demo.telling import Teller
from examples.demo.workplace import LAMP, SWARM, SYSTEM, Workplace

HELD, NOT_HELD, NOT_HERE, INTERRUPTED = 0, 1, 4, 130
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

EPILOG = """\
exit codes: 0 everything held, 1 something did not (it is named), 4 this machine lacks something,
130 interrupted; whichever it is, nothing is left behind
"""


def main(arguments: Sequence[str]) -> int:
    """Run the demo and return its exit code."""
    asked = _parser().parse_args(arguments)
    if sys.platform != "linux" or not LAMP.exists():
        print("the demo needs Linux and the lamp command: `make demo` sets it up", file=sys.stderr)
        return NOT_HERE
    _take_signals()
    pace = QUICK if asked.quick else FULL
    place: Workplace | None = None
    try:
        place = Workplace.make()
        place.furnish(pace.tuning)
        return _run(place, pace, asked.picture)
    except KeyboardInterrupt:
        print("\ninterrupted: everything that was started is being ended", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"the demo cannot work here: {error}", file=sys.stderr)
        return NOT_HERE
    finally:
        for each in ENDINGS:
            signal.signal(each, signal.SIG_IGN)
        if place is not None:
            _clean(place, keep=asked.keep)


def _run(place: Workplace, pace: Pace, picture: Path | None) -> int:
    teller, record = Teller(), Record()
    story = Story(place, pace, teller, record)
    asyncio.run(_told(story, place, teller, record))
    traffic = story.traffic
    answers = traffic.answers if traffic else []
    judged(record, answers, traffic.asked if traffic else 0)
    teller.plain("\n" + teller.styled("What happened", "bold"))
    teller.plain(table(record, answers, traffic.lag_max_s if traffic else 0.0))
    if picture is not None:
        picture.write_text(draw(record, answers), encoding="utf-8")
        teller.plain(f"\nthe picture is in {picture}")
    teller.plain("\n" + teller.styled(verdict(record), "red" if record.broken else "green"))
    return NOT_HELD if record.broken else HELD


async def _told(story: Story, place: Workplace, teller: Teller, record: Record) -> None:
    """Tell the story; where it ends early, show how the system stood."""
    try:
        await story.run()
    except NotHeldError as broken:
        record.promise(str(broken), held=False)
        teller.say(f"this did not come about: {broken}", "red")
        teller.plain(broken.evidence)
        for words in (("status",), ("ledger", "--last", "12")):
            with suppress(NotHeldError):
                teller.plain((await place.lamp(*words)).out)


def _clean(place: Workplace, *, keep: bool) -> None:
    for system in (SYSTEM, SWARM):
        leftovers.end_all(place.folder, leftovers.memory_of(place.states / system))
    if keep:
        print(f"kept: {place.folder}")
    else:
        shutil.rmtree(place.folder, ignore_errors=True)


def _take_signals() -> None:
    """Let every way of being told to end be that of Ctrl-C, also where a shell had it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in ENDINGS[1:]:
        signal.signal(each, lambda *_: signal.raise_signal(signal.SIGINT))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo",
        description="Runs a small search service under Lamplighter and lets everything happen to it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a shorter story: smaller waits, one kill less")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the run into an SVG file")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder, to look at")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
