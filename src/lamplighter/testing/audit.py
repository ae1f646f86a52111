"""The audit: once a run has come to rest, its records are looked through as a stranger would.

Every action that was decided stands in the ledger, with its losers; the chain holds; and every pass that is
still kept, made again from what went in, comes to the same, to the byte.
"""

from collections.abc import Iterator

from lamplighter.engine.deciding import Step, decide
from lamplighter.engine.step import step
from lamplighter.model.value import encode
from lamplighter.ports import Ledger, Recordings
from lamplighter.testing.story import Story
from lamplighter.testing.witness import Witness

EVERY = 8
"""One pass in so many is made again."""
DISK = frozenset({"disk-full", "disk-slow"})
Found = Iterator[tuple[str, str]]
"""Names of checkers, and what each tells."""


def audit(
    ledger: Ledger, recordings: Recordings, witness: Witness, planted: Step | None, story: Story
) -> Found:
    """Yield what is wrong with the records of a run.

    Args:
        ledger: of the run.
        recordings: of the run; the newest passes of it.
        witness: what was seen to be recorded.
        planted: the step that decided, if it is not the real one: then no pass is made again.
        story: of the run; on a disk that was full or slow, lines may be missing from the ledger.
    """
    wrote_all = not story.faults.maintainer.disk_full_every_s and not any(
        each.kind in DISK for each in story.troubles
    )
    yield from _told(ledger, witness, complete=wrote_all)
    if planted is None and not story.files:
        yield from _again(recordings)


def _told(ledger: Ledger, witness: Witness, *, complete: bool) -> Found:
    previous, number, lost = None, 0, {}
    for entry in ledger.entries():
        if previous is not None and (entry.previous != previous or entry.number != number + 1):
            yield "LedgerTold", f"entry {entry.number} does not follow on the one before it"
            return
        previous, number = entry.digest, entry.number
        if entry.kind == "decision":
            said = entry.body.get("lost", ())
            lost[entry.subject] = len(said) if isinstance(said, list | tuple) else 0
    for name, decision in witness.decisions.items() if complete else ():
        if name not in lost:
            yield "LedgerTold", f"{name} was decided and is not in the ledger"
        elif lost[name] < len(decision.lost):
            yield "LedgerTold", f"{len(decision.lost)} lost to {name}, the ledger tells of {lost[name]}"


def _again(recordings: Recordings) -> Found:
    for recorded in recordings.passes():
        if recorded.before is None or recorded.number % EVERY or recorded.result is None:
            continue
        after, result = decide(step, recorded.before, recorded.inputs)
        kept = recordings.after(recorded.number)
        if encode(result) != encode(recorded.result) or (kept is not None and encode(after) != encode(kept)):
            yield "ReplayExact", f"pass {recorded.number} comes to something else when it is made again"
            return
