"""Agents that tell whether each message reached them once and in order, in a state that does not grow."""

from lamplighter.runtime import Agent, Message, Turn

WRONG_MAX = 20
"""So many breaks of the order are kept by an agent, to be shown."""


class Put(Message):
    """The n-th message of a client to this agent."""

    n: int


class Told(Message):
    """The same, from its keeper to its teller."""

    n: int


class Look(Message):
    """To be shown what came."""


class Seen(Message):
    """What came: the last number, and where the order was broken, as (expected, found)."""

    last: int
    wrong: list[tuple[int, int]]


class Keeper(Agent):
    """Hears clients and tells the teller of the same number, which is mostly in another shard."""

    last: int = 0
    wrong: list[tuple[int, int]] = []

    async def on_put(self, turn: Turn, put: Put) -> None:
        """See whether it is the next one, and tell on."""
        if put.n != self.last + 1 and len(self.wrong) < WRONG_MAX:
            self.wrong.append((self.last + 1, put.n))
        self.last = put.n
        turn.send(turn.address.replace("keeper", "teller"), Told(put.n))

    async def on_look(self, turn: Turn, look: Look) -> Seen:
        """Show."""
        del turn, look
        return Seen(self.last, self.wrong)


class Teller(Agent):
    """Hears its keeper."""

    last: int = 0
    wrong: list[tuple[int, int]] = []

    async def on_told(self, turn: Turn, told: Told) -> None:
        """See whether it is the next one."""
        del turn
        if told.n != self.last + 1 and len(self.wrong) < WRONG_MAX:
            self.wrong.append((self.last + 1, told.n))
        self.last = told.n

    async def on_look(self, turn: Turn, look: Look) -> Seen:
        """Show."""
        del turn, look
        return Seen(self.last, self.wrong)
