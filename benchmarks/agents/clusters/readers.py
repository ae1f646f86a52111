"""The agents of `ray_pool`, to be imported by hosts that have no other part of the benchmarks."""

from lamplighter.runtime import Agent, Message, Turn


class Ask(Message):
    """Changes the state and is passed on."""

    to: str
    text: str


class Note(Message):
    """Changes the state; the end of the way."""

    text: str


class Reader(Agent):
    """An agent with some 200 B of state, of which each turn changes a part."""

    seen: int = 0
    last: str = ""
    shelf: bytes = b""

    async def on_ask(self, turn: Turn, ask: Ask) -> None:
        """Count, keep the text, send on."""
        self.seen += 1
        self.last = ask.text
        turn.send(ask.to, Note(ask.text))

    async def on_note(self, turn: Turn, note: Note) -> None:
        """Count and keep the text; the first one fills the shelf."""
        self.seen += 1
        self.last = note.text
        if not self.shelf:
            self.shelf = (turn.address * 20).encode()[:160]
