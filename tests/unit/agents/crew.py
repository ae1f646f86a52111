"""The agents of these tests: a reader who asks and calls, a critic who sums up."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from lamplighter.runtime import Agent, Message, Turn


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


class Ask(Message):
    """Answered at once."""

    q: str


class Draft(Message):
    """Adds to a critic's sum."""

    n: int


class Study(Message):
    """Begins a turn that waits: for a call, a critic and time."""

    q: str


class Remind(Message):
    """Asks to be reminded after some seconds, or is the reminder."""

    after_s: float = 0.0


class Cancel(Message):
    """Calls the reminder off."""


class Leave(Message):
    """Forgets the agent."""


class Fail(Message):
    """Fails so many times before it goes well."""

    times: int


class Grow(Message):
    """Makes the state large."""

    size: int


class Chain(Message):
    """Asks the first of these to go on with the others."""

    on: list[str]


class Fan(Message):
    """Asks several critics at once."""

    n: int


class Poll(Message):
    """Asks a critic who answers and a reader who fails."""


class Answer(Message):
    """What a reader answers."""

    text: str


FAILED: dict[str, int] = {}


def model(prompt: str) -> str:
    """Stands for a slow call outside."""
    return prompt.upper()


class Reader(Agent):
    """Counts what it is asked."""

    seen: int = 0
    notes: list[str] = []
    timer: str = ""

    class Config:
        """Small limits."""

        mailbox = 3
        state_bytes_max = 1000
        backoff_s = 1.0

    async def on_ask(self, turn: Turn, ask: Ask) -> Answer:
        """Count, tell the critic, answer."""
        self.seen += 1
        turn.send("critic/7", Draft(self.seen))
        return Answer(ask.q)

    async def on_study(self, turn: Turn, study: Study) -> Answer:
        """Call, ask, sleep."""
        note = await turn.call(model, study.q)
        total = await turn.ask("critic/1", Draft(5))
        await turn.sleep(3)
        self.notes.append(note)
        return Answer(f"{note} {total}")

    async def on_remind(self, turn: Turn, remind: Remind) -> None:
        """Set a timer, or note that it went off."""
        if remind.after_s:
            self.timer = turn.after(remind.after_s, Remind())
        else:
            self.notes.append(f"reminded at {turn.now:g}")

    async def on_cancel(self, turn: Turn, _: Cancel) -> None:
        """Call the timer off."""
        turn.cancel(self.timer)

    async def on_leave(self, turn: Turn, _: Leave) -> None:
        """Forget."""
        turn.delete()

    async def on_fail(self, turn: Turn, fail: Fail) -> int:
        """Fail some times; what was done before is undone."""
        self.seen += 1
        turn.send("critic/7", Draft(1))
        FAILED[turn.address] = FAILED.get(turn.address, 0) + 1
        if FAILED[turn.address] <= fail.times:
            raise ValueError("not yet")
        return self.seen

    async def on_grow(self, turn: Turn, grow: Grow) -> None:
        """Keep a long note."""
        del turn
        self.notes.append("x" * grow.size)

    async def on_chain(self, turn: Turn, chain: Chain) -> str:
        """Ask on."""
        if not chain.on:
            return turn.address
        answer: str = await turn.ask(chain.on[0], Chain(chain.on[1:]))
        return f"{turn.address} {answer}"

    async def on_fan(self, turn: Turn, fan: Fan) -> list[int]:
        """Ask critics."""
        asked = [turn.ask(f"critic/{n}", Draft(n)) for n in range(fan.n)]
        found: list[int] = await turn.every(*asked)
        return found

    async def on_poll(self, turn: Turn, _: Poll) -> list[str]:
        """Ask both, and take what comes."""
        asked = (turn.ask("critic/1", Draft(4)), turn.ask("reader/none", Fail(99)))
        return [str(each) for each in await turn.every(*asked, failures=True)]


class Critic(Agent):
    """Sums up."""

    total: int = 0

    async def on_draft(self, turn: Turn, draft: Draft) -> int:
        """Add."""
        del turn
        self.total += draft.n
        return self.total
