"""The table at the end: what was asked and failed, repaired, done and why, replayed, and left behind."""

from collections.abc import Sequence

from benchmarks.load.sample import FAILED, Fate
from benchmarks.load.tally import percentiles
from examples.demo.record import Record
from examples.demo.traffic import SLOW_S, Answer

HONEST_LAG_S = 0.25
"""Questions sent later than this say something of the machine, not of the system."""

_DEFINED = {
    Fate.CONNECT_ERROR: "no connection",
    Fate.NO_HEADERS: "no headers",
    Fate.SERVER_ERROR: "5xx",
    Fate.SLOW: f"slower than {SLOW_S:g} s",
}


def judged(record: Record, answers: Sequence[Answer], asked: int) -> None:
    """Add the promises that can only be judged at the end."""
    failed = sum(each.fate.failed for each in answers)
    shown = ", ".join(f"{count} {name}" for name, count in _counts(answers).items() if count)
    record.promise("no question failed", held=failed == 0 and asked > 0, seen=shown)
    record.promise("every question has ended", held=len(answers) == asked, seen=f"{len(answers)} of {asked}")
    if (replayed := record.replayed) is not None:
        seen = f"{replayed.decisions} of {replayed.passes} passes"
        record.promise("every decision came out the same", held=not replayed.unlike, seen=seen)


def table(record: Record, answers: Sequence[Answer], lag_max_s: float) -> str:
    """Return the table as text, as far as the story came."""
    rows = [*_questions(answers, lag_max_s), *_repairs(record), *_promises(record), *_looked_back(record)]
    rows += _listed("actions", _actions(record))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows)


def verdict(record: Record) -> str:
    """Return the last word: that all held, or what did not."""
    if not record.broken:
        return f"Everything held, in {record.ended - record.began:.0f} s."
    lines = [f"  - {each.what}{f' ({each.seen})' if each.seen else ''}" for each in record.broken]
    return "\n".join(["This did not hold:", *lines])


def _questions(answers: Sequence[Answer], lag_max_s: float) -> list[tuple[str, str]]:
    counts = _counts(answers)
    failed = sum(counts.values())
    told = "; ".join(f"{name} {count}" for name, count in counts.items())
    took = percentiles([each.took_s for each in answers])
    rejected = sum(each.fate is Fate.REJECTED for each in answers)
    cut = sum(each.fate is Fate.CUT for each in answers)
    rows = [
        ("questions", f"{len(answers)} asked, {failed} failed ({told})"),
        ("", f"{cut} cut after their headers, {rejected} refused (4xx)"),
        ("latency", f"p50 {took.p50:.2f} s, p99 {took.p99:.2f} s, slowest {took.most:.2f} s"),
        ("", "of which 0.2 to 0.4 s are the time that the service takes itself"),
    ]
    if lag_max_s > HONEST_LAG_S:
        late = f"this machine was busy: a question went out {lag_max_s:.2f} s late, counted as latency"
        rows.append(("", late))
    return rows


def _repairs(record: Record) -> list[tuple[str, str]]:
    rows = [
        f"{each.took_s:.2f} s from the kill of {each.replica} ({each.in_flight} in flight) "
        "to the first answer of its successor"
        for each in record.repairs
    ]
    return _listed("repairs", rows)


def _promises(record: Record) -> list[tuple[str, str]]:
    rows = [
        f"{'yes' if each.held else 'NO '}  {each.what}{f': {each.seen}' if each.seen and each.held else ''}"
        for each in record.promises
    ]
    return _listed("held", rows)


def _looked_back(record: Record) -> list[tuple[str, str]]:
    rows = []
    if (replayed := record.replayed) is not None:
        same = f"{replayed.unlike} passes otherwise" if replayed.unlike else "all the same"
        rows.append(("replayed", f"{replayed.decisions} decisions of {replayed.passes} passes, {same}"))
    if record.ledger:
        rows.append(("ledger", record.ledger))
    return rows


def _actions(record: Record) -> list[str]:
    return [
        f"{each.at_s:5.1f} s  {each.controller:<9}  {each.what} - {each.because}" for each in record.acted
    ]


def _listed(name: str, rows: Sequence[str]) -> list[tuple[str, str]]:
    """Return rows with their name on the first of them."""
    return [("" if n else name, each) for n, each in enumerate(rows)]


def _counts(answers: Sequence[Answer]) -> dict[str, int]:
    return {_DEFINED[fate]: sum(each.fate is fate for each in answers) for fate in _DEFINED if fate in FAILED}
