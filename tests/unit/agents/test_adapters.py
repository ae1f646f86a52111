"""Plain functions as kinds of agents, in memory and virtual time."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lamplighter.runtime import Turn
from lamplighter.runtime.adapters import agent_of
from lamplighter.runtime.agents.errors import AgentDefinitionError
from lamplighter.testing.agents import World


@dataclass
class Notes:
    """What a function keeps."""

    said: list[str] = field(default_factory=list)


async def note_down(text: str, state: Notes, loud: bool = False) -> str:  # noqa: FBT001, FBT002 - a message's field
    """Keep a text."""
    state.said.append(text.upper() if loud else text)
    return ", ".join(state.said)


def named(text: str, key: str) -> str:
    """Say under which key it is called."""
    return f"{text} {key}"


async def relay(turn: Turn, text: str) -> str:
    """Ask another agent."""
    answer: str = await turn.ask("note-down/9", Noting.message(text=text))  # type: ignore[call-arg]  # made at run time
    return f"relayed {answer}"


Noting: Any = agent_of(note_down)


def test_a_functions_parameters_are_its_message() -> None:
    """Those with a default may be left out."""
    world = World([Noting])
    assert "ZIP" == world.ask("note-down/1", Noting.message(text="zip", loud=True))
    assert "ZIP, zap" == world.ask("note-down/1", Noting.message(text="zap"))


def test_a_functions_state_is_durable_and_each_agents_own() -> None:
    """What it changes in place is there after a crash; another agent begins anew."""
    world = World([Noting])
    world.ask("note-down/1", Noting.message(text="zip"))
    world.crash(0)
    assert "zip, zap" == world.ask("note-down/1", Noting.message(text="zap"))
    assert "zap" == world.ask("note-down/2", Noting.message(text="zap"))


def test_a_function_may_ask_for_its_calls_stable_key() -> None:
    """A parameter named `key` is no part of the message."""
    naming: Any = agent_of(named, name="naming")
    with pytest.raises(TypeError, match="key"):
        naming.message(text="zip", key="zap")


def test_a_function_with_a_turn_is_a_handler() -> None:
    """It may ask other agents."""
    relaying: Any = agent_of(relay)
    world = World([Noting, relaying])
    assert "relayed zip" == world.ask("relay/1", relaying.message(text="zip"))


def test_a_kind_is_named_after_its_function_unless_told() -> None:
    """Underscores become hyphens, as everywhere in kinds."""
    assert ["note-down", "notes"] == [
        each.Config.name for each in (Noting, agent_of(note_down, name="notes"))
    ]


def test_a_function_with_any_number_of_parameters_is_refused() -> None:
    """They could not be fields of a message."""

    def loose(*texts: str) -> str:
        return "".join(texts)

    with pytest.raises(AgentDefinitionError, match="takes \\*texts"):
        agent_of(loose)


def test_a_state_that_cannot_be_made_is_refused() -> None:
    """The error says how to mend it."""

    class Closed:
        def __init__(self, lid: str) -> None:
            self.lid = lid

    def keep(state: Closed) -> None:
        del state

    with pytest.raises(AgentDefinitionError, match="no state can be made"):
        agent_of(keep)


def test_what_is_no_prototype_is_refused() -> None:
    """The error says what would be one."""
    with pytest.raises(AgentDefinitionError, match="no prototype"):
        agent_of(42)


def test_the_function_of_the_page_runs(tmp_path: Path) -> None:
    """What docs/howto/bring-an-agent.md shows first."""
    page = Path(__file__).parents[3] / "docs" / "howto" / "bring-an-agent.md"
    shown: dict[str, Any] = {"__name__": "shown"}
    block = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[0]
    exec(block, shown)  # noqa: S102 - our own page
    assert 4 == asyncio.run(shown["main"](str(tmp_path)))
