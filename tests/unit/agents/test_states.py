"""An agent's state through time: another version of its class, idleness, a state that was altered."""

from tests.unit.agents.crew import Answer, Ask, Critic, Draft, Reader

from lamplighter.runtime import Agent, Turn
from lamplighter.testing.agents import World


class Richer(Reader):
    """A reader with one more field."""

    mood: str = "calm"

    class Config:
        """The same kind."""

        name = "reader"


class Fleeting(Agent):
    """Forgotten after a minute without a turn."""

    seen: int = 0

    class Config:
        """A minute."""

        expires_s = 60

    async def on_ask(self, turn: Turn, ask: Ask) -> int:
        """Count."""
        del turn, ask
        self.seen += 1
        return self.seen


def test_a_new_field_has_its_default_and_the_others_their_values() -> None:
    """A host with a newer class reads what an older one stored."""
    world = World([Reader, Critic])
    world.ask("reader/1", Ask("?"))
    world.become([Richer, Critic])
    assert Answer("!") == world.ask("reader/1", Ask("!"))
    assert (2, "calm") == (world.state("reader/1").seen, world.state("reader/1").mood)


def test_an_idle_agent_expires_and_a_busy_one_does_not() -> None:
    """Each turn counts as use, also one that changes nothing."""
    world = World([Fleeting])
    world.ask("fleeting/1", Ask("?"))
    world.advance(50)
    assert 2 == world.ask("fleeting/1", Ask("?"))
    world.advance(50)
    assert 3 == world.ask("fleeting/1", Ask("?"))
    world.advance(61)
    assert 1 == world.ask("fleeting/1", Ask("?"))


def test_an_unchanged_state_is_not_written_again() -> None:
    """A turn that changes nothing leaves no state behind."""
    world = World([Critic])
    world.ask("critic/1", Draft(1))
    before = world.machines[0].store.journal.records
    world.ask("critic/1", Draft(0))
    assert before == world.machines[0].store.journal.records
