"""The differences that were reviewed: where this version decides otherwise than a kept recording tells.

A recording NAME.sqlite may have NAME.differences.txt beside it: one entry for each decision that comes out
otherwise, with the reason that a person gave for it. `python -m tests.recordings.review` writes these files
anew, keeps the reasons that still apply, and leaves the others to be given.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lamplighter.adapters.recordings import SqliteRecordings
from lamplighter.engine.replay import Replayed, replay
from lamplighter.engine.step import step
from lamplighter.model.decisions import Decision
from lamplighter.model.value import encode, whole
from lamplighter.planning import describe

HERE = Path(__file__).parent
COMMAND = "python -m tests.recordings.review"
OPEN = "(to be given)"
NOTHING = "nothing"


class Difference(NamedTuple):
    """One decision that comes out otherwise, in words, and why that is as it should be."""

    number: int
    subject: str
    recorded: str
    now: str
    reason: str = OPEN

    def __str__(self) -> str:
        """Return the entry as it stands in the file."""
        return (
            f"pass {self.number}  {self.subject}\n  recorded  {self.recorded}\n"
            f"  now       {self.now}\n  reason    {self.reason}\n"
        )


def recordings() -> list[Path]:
    """Return every recording that is kept."""
    return [*sorted(HERE.glob("*.sqlite")), HERE / "previous" / "recording.sqlite"]


def found(recording: Path) -> list[Difference]:
    """Return what comes out otherwise now."""
    opened = SqliteRecordings(recording, read_only=True)
    try:
        return [each for replayed in replay(opened, step) for each in _in_pass(replayed)]
    finally:
        opened.close()


def reviewed(recording: Path) -> list[Difference]:
    """Return what was reviewed."""
    place = _place(recording)
    text = place.read_text(encoding="utf-8") if place.exists() else ""
    return [_read(each) for each in text.split("\n\n") if each.startswith("pass ")]


def renew(recording: Path) -> None:
    """Write the file anew; reasons of entries that are still the same stay, and those of the same words."""
    reasons = {(each.subject, each.recorded, each.now): each.reason for each in reviewed(recording)}
    entries = [
        each._replace(reason=reasons.get((each.subject, each.recorded, each.now), OPEN))
        for each in found(recording)
    ]
    if not entries:
        _place(recording).unlink(missing_ok=True)
        return
    _place(recording).write_text("\n".join(map(str, entries)), encoding="utf-8")


def _place(recording: Path) -> Path:
    return recording.with_name(f"{recording.stem}.differences.txt")


def _read(entry: str) -> Difference:
    head, *rest = entry.strip().splitlines()
    _, number, subject = head.split(maxsplit=2)
    recorded, now, reason = (line.strip().split(maxsplit=1)[1] for line in rest)
    return Difference(int(number), subject, recorded, now, reason)


def _in_pass(replayed: Replayed) -> Iterator[Difference]:
    was = {each.subject: each for each in replayed.recorded or ()}
    now = {each.subject: each for each in replayed.decisions}
    for subject in [*was, *(each for each in now if each not in was)]:
        old, new = was.get(subject), now.get(subject)
        if replayed.recorded is not None and encode(old) != encode(new):
            yield Difference(replayed.number, subject, _words(old, new), _words(new, old))


def _words(decision: Decision | None, other: Decision | None) -> str:
    """Return a decision in words; where another has the same words, also the fields in which they differ."""
    if decision is None:
        return NOTHING
    words = _said(decision)
    if other is None or _said(other) != words:
        return words
    mine, theirs = whole(decision), whole(other)
    return f"{words} [{', '.join(sorted(name for name in mine if mine[name] != theirs.get(name)))}]"


def _said(decision: Decision) -> str:
    return f"{decision.state}: {describe(decision.chosen.action)} - {decision.chosen.because}"


if __name__ == "__main__":
    for each in recordings():
        renew(each)
