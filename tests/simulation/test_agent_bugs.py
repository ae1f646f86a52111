"""Bugs planted into the agents' runtime, each told by the stories' checker: it sees what it judges."""

import gc
import inspect
import sys
import textwrap
from typing import Any

import pytest

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents.endings import Endings
from lamplighter.runtime.agents.host import Host
from lamplighter.runtime.agents.seats import Seat
from lamplighter.runtime.agents.store import Desk, Journal, Store
from lamplighter.runtime.agents.suspensions import Suspensions
from lamplighter.runtime.agents.waits import Waits
from lamplighter.testing.agent_stories import Story
from lamplighter.testing.agents import Machine

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning"
)
"""A bug may lose a coroutine that was never begun."""
SEEDS_MAX = 500
BUGS: dict[str, tuple[type, str, str, str]] = {
    "waiting-mail-unwritten": (Host, "seal", "self._mail(item)", "pass"),
    "rest-unwritten": (Host, "_keep_rest", "self._mail(item)", "pass"),
    "known-taken-again": (Host, "_fresh", "skipped = max(0, mark + 1 - first)", "skipped = 0"),
    "gap-passed-over": (Host, "_fresh", "if first > mark + 1:", "if False:"),
    "mark-too-far": (
        Host,
        "_fresh",
        "seat.heard[sender] = mark + taken",
        "seat.heard[sender] = mark + taken + 1",
    ),
    "no-room-taken-for-accepted": (Host, "_room", "self._back(seat, sender, len(addresses) - n)", "pass"),
    "no-room-for-parcel-forgotten": (Host, "_admit", "self._back(seat, sender, taken - n)", "pass"),
    "timer-not-ticked-off": (Host, "_fire", "seat.write(Fired(timer.turn, timer.n))", "pass"),
    "acknowledged-too-far": (Host, "acknowledged", "Acked(to, sequence)", "Acked(to, sequence + 1)"),
    "mail-asleep": (Host, "_wake", "self._endings.free(seat, address)", "pass"),
    "mail-forgets-its-number": (Host, "_wake", "letter.chain, number)", "letter.chain)"),
    "two-turns-at-once": (Host, "run", "if held and seat.busy[address].admitted is not item:", "if False:"),
    "mail-not-done": (Endings, "settle", "seat.write(Done(slip.mail))", "pass"),
    "answer-unwritten": (Endings, "_answer", "seat.write(Answer(", "str(Answer("),
    "last-come-first-served": (Endings, "free", "mailbox.waiting.popleft()", "mailbox.waiting.pop()"),
    "sequence-stands": (Endings, "out", "lane, 0) + 1", "lane, 0) or 1"),
    "timer-unwritten": (Endings, "_take_place", "seat.write(Timer(", "str(Timer("),
    "stale-cache": (Seat, "seal", "self._young.update(dirty)", "pass"),
    "suspended-unwritten": (Suspensions, "seal", "seat.write(Started(", "str(Started("),
    "ended-unwritten": (Suspensions, "_close", "waiting.seat.write(Ended(waiting.number))", "pass"),
    "asked-twice": (Suspensions, "_ask", "if known is None:", "if True:"),
    "suspended-mail-stays": (Suspensions, "seal", "seat.write(Done(slip.mail))", "pass"),
    "gone-on-with-twice": (Waits, "ready", "and not waiting.ready", ""),
    "result-between-lives-lost": (Waits, "_recorded", "seat.write(Result(", "str(Result("),
    "released-before-the-sync": (
        Machine,
        "work",
        "self._flight = (sealed, release)",
        "self._world.released(self, release); self._flight = (sealed, Release())",
    ),
    "taken-unnoticed": (Journal, "commit", "self._owned()", "pass"),
    "desk-left-behind": (Host, "__init__", "self._wake(seat)", "pass"),
    "not-sent-again-after-a-move": (Host, "resend", "self._resend(seat, to)", "pass"),
    "answers-not-told-again": (Host, "returned", "self._context.release.answers.append(", "str("),
    "end-miscounted": (Store, "close", "closed=self.journal.durable", "closed=self.journal.durable + 1"),
    "segment-of-the-former-owner": (Journal, "__init__", "after.segment + 1", "after.segment or 1"),
    "moved-without-its-outbox": (Desk, "records", "yield from (Out(", "tuple(Out("),
    "moved-without-its-answers": (Desk, "records", "yield from (Answer(", "tuple(Answer("),
    "moved-without-its-marks": (Desk, "records", "yield Heard(at_s, {sender: self.marks[sender]})", "pass"),
    "moved-without-its-mail": (Desk, "records", "yield from mails.values()", "pass"),
    "moved-without-its-timers": (Desk, "records", "yield from self.timers.values()", "pass"),
    "moved-without-its-turns": (Desk, "records", "yield turn.started", "pass"),
    "moved-without-its-dead": (Desk, "records", "yield from self.dead.values()", "pass"),
    "moved-without-its-counters": (Desk, "records", "yield Counters(", "(Counters)("),
}


SOURCES = {
    (owner, method): textwrap.dedent(inspect.getsource(getattr(owner, method)))
    for owner, method, *_ in BUGS.values()
}


def plant(monkeypatch: pytest.MonkeyPatch, name: str, *, control: bool = False) -> None:
    """Put a bug in the place of the line it replaces; as a control, that line itself."""
    owner, method, line, instead = BUGS[name]
    instead = line if control else instead
    source = SOURCES[owner, method]
    assert line in source, f"{name} follows a line that is no longer there"
    planted: dict[str, Any] = {}
    exec(source.replace(line, instead), vars(sys.modules[owner.__module__]), planted)  # noqa: S102 - our own source
    monkeypatch.setattr(owner, method, planted[method])


def first_told(most: int) -> int:
    """The first seed whose story does not hold; 0 if all of them do."""
    for seed in range(1, most + 1):
        try:
            Story(seed).run()
        except Exception:  # noqa: BLE001 - a bug may show in any way
            return seed
        finally:
            gc.collect()
    return 0


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these is told by one of the first 500 stories."""
    plant(monkeypatch, name)
    assert first_told(SEEDS_MAX) > 0


def test_it_is_the_bug_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every line put back in the same way, stories hold."""
    for name in BUGS:
        plant(monkeypatch, name, control=True)
    assert 0 == first_told(15)


def _story(seeds: range) -> None:
    for seed in seeds:
        Story(seed).run()


def test_what_is_told_of_a_planted_bug_is_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told names the agent, or the message, that was not treated as promised."""
    plant(monkeypatch, "ended-unwritten")
    with pytest.raises((AssertionError, LampError), match=r"clerk/|message \d"):
        _story(range(1, SEEDS_MAX))
