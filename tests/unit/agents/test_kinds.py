"""A class that is no proper agent is told at once; states of older classes are read."""

import pytest
from tests.unit.agents.crew import Ask, Reader

from lamplighter.runtime import Agent, Message, Turn
from lamplighter.runtime.agents.errors import AgentDefinitionError, StateUnreadableError, UnknownMessageError
from lamplighter.runtime.agents.kinds import ENCODE, Kind, kind_of, registry


class Scholar(Agent):
    """What became of another class: one field was added in the middle, one was dropped, one renamed."""

    seen: int = 0
    books: list[str] = []
    name: str = "nobody"

    class Config:
        """The second version."""

        name = "scholar"
        version = 2

    async def on_ask(self, turn: Turn, ask: Ask) -> None:
        """Nothing."""

    @classmethod
    def upgrade(cls, version: int, fields: dict[str, object]) -> dict[str, object]:
        """In version 1 the name was called `title`."""
        if version == 1:
            fields["name"] = fields.pop("title", "untitled")
        return fields


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def on_ask(self, turn, ask: Ask): ...", "on_ask is not a coroutine function"),
        ("async def on_ask(self, ask: Ask): ...", "on_ask takes 2 parameters"),
        ("async def on_ask(self, turn, ask): ...", "does not say which message"),
        ("async def on_ask(self, turn, ask: int): ...", "on_ask takes <class 'int'>"),
        ("class Config: retries = 3", "Config has no option 'retries'"),
        ("class Config: attempts = 0", "Config.attempts is 0"),
        ("class Config: name = 'A/B'", "'A/B' is no name of a kind"),
    ],
)
def test_a_class_that_is_no_agent_is_told_where_it_is_defined(body: str, told: str) -> None:
    """The error names the class and what is wrong, before anything runs."""
    with pytest.raises(AgentDefinitionError, match=told) as error:
        exec(f"class Wrong(Agent):\n    {body}", {"Agent": Agent, "Ask": Ask})  # noqa: S102 - a class by its text
    assert "agent Wrong" in error.value.message


def test_every_field_needs_a_default() -> None:
    """An agent comes to be with its first message, so there is nobody to give its fields values."""

    class Needy(Agent):
        title: str

        async def on_ask(self, turn: Turn, ask: Ask) -> None: ...

    with pytest.raises(AgentDefinitionError, match="title has no default"):
        Kind(Needy)


def test_one_message_has_one_handler() -> None:
    """Two handlers for one message are told when the class is registered."""

    class Torn(Agent):
        async def on_ask(self, turn: Turn, ask: Ask) -> None: ...

        async def on_other(self, turn: Turn, ask: Ask) -> None: ...

    with pytest.raises(AgentDefinitionError, match="two handlers take Ask"):
        Kind(Torn)


def test_a_message_with_unknown_fields_is_read() -> None:
    """A newer sender may say more than an older agent understands."""
    assert Ask("?") == Kind(Reader).read(ENCODE({"type": "Ask", "q": "?", "new": 1}))


def test_a_message_that_does_not_decode_is_told_with_what_would() -> None:
    """The error says what the kind takes."""
    with pytest.raises(UnknownMessageError) as error:
        Kind(Reader).read(b"\x01")
    assert "Ask" in error.value.mend


def test_fields_that_were_added_dropped_or_renamed_are_understood() -> None:
    """A state is read by the names under which it was stored, through `upgrade`."""
    found = Kind(Scholar).revive(ENCODE([7, "dropped", "Zip"]), 1, ("seen", "color", "title"))
    assert (7, [], "Zip") == (found.seen, found.books, found.name)


def test_a_state_that_does_not_fit_is_told_and_not_guessed() -> None:
    """A changed type is refused."""
    with pytest.raises(StateUnreadableError, match="does not fit"):
        Kind(Scholar).revive(ENCODE(["seven"]), 2, ("seen",))


def test_a_kinds_name_is_the_class_in_kebab_case() -> None:
    """Unless Config says otherwise."""

    class SlowHTTPReader(Agent):
        async def on_ask(self, turn: Turn, ask: Ask) -> None: ...

    kinds = registry([SlowHTTPReader, Scholar])
    assert ["scholar", "slow-http-reader"] == sorted(kinds)
    assert SlowHTTPReader is kind_of(kinds, "slow-http-reader/1").cls


def test_messages_are_immutable() -> None:
    """What was sent cannot be changed afterwards."""

    class Fixed(Message):
        n: int = 0

    with pytest.raises(AttributeError):
        Fixed().n = 1  # type: ignore[misc]
