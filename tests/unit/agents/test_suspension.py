"""Turns that wait survive a crash: they run again, and are given what the journal holds."""

from typing import Any

import pytest
from tests.unit.agents.crew import Answer, Ask, Critic, Draft, Fan, Reader, Study, model

from lamplighter.runtime.agents.release import Start
from lamplighter.runtime.agents.turn import Turn
from lamplighter.testing.agents import World


class Calls:
    """Counts what is called, by its key."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, start: Start) -> Any:
        """Call it as it is."""
        self.keys.append(start.key)
        return start.function(*start.args)


def test_a_call_that_was_answered_is_not_made_again() -> None:
    """After a crash a turn goes on with the result that the journal holds."""
    calls = Calls()
    world = World([Reader, Critic], caller=calls)
    world.send("reader/1", Study("a"))
    world.crash(0)
    world.advance(4)
    assert (1, ["A"]) == (len(calls.keys), world.state("reader/1").notes)


def test_a_call_that_was_not_answered_is_made_again_under_its_key() -> None:
    """The key is the same in each life, so that the other side can tell."""
    calls = Calls()
    world = World([Reader, Critic], caller=calls)
    client = world.client("c")
    client.send("reader/1", Study("a"))
    while not world.calls:
        world.step()
    key = world.calls[0].key
    world.crash(0)
    world.advance(4)
    assert ([key], ["A"]) == (calls.keys, world.state("reader/1").notes)


def test_a_question_is_put_once_however_often_the_asker_crashes() -> None:
    """The critic has counted the asked draft once."""
    world = World([Reader, Critic], machines=2, seed=3)
    for _ in range(4):
        world.client("c").send("reader/1", Study("a"))
        for _ in range(12):
            world.step()
        world.crash(0)
        world.crash(1)
    world.advance(60)
    assert (4, 20) == (len(world.state("reader/1").notes), world.state("critic/1").total)


def test_changed_code_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that asks for something else than before the crash becomes a dead letter."""
    world = World([Reader, Critic])
    world.send("reader/1", Study("a"))

    async def changed(self: Reader, turn: Turn, study: Study) -> Answer:
        del self
        return Answer(await turn.call(model, f"changed {study.q}"))

    monkeypatch.setitem(world.kinds["reader"].handlers, Study, changed)
    world.crash(0)
    world.advance(4)
    assert world.dead_letters()[0][1].startswith("replay-mismatch: ")
    assert Answer("?") == world.ask("reader/1", Ask("?"))


def test_code_that_asks_for_less_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that ends without asking for what it had asked for becomes a dead letter."""
    world = World([Reader, Critic])
    world.send("reader/1", Study("a"))

    async def changed(self: Reader, turn: Turn, study: Study) -> Answer:
        del self, turn
        return Answer(study.q)

    monkeypatch.setitem(world.kinds["reader"].handlers, Study, changed)
    world.crash(0)
    world.advance(4)
    assert world.dead_letters()[0][1].startswith("replay-mismatch: ")


def test_a_turn_that_ends_within_its_frame_writes_nothing_of_its_waiting() -> None:
    """Questions answered on the same host in the same frame cost no record of a suspended turn."""
    world = World([Reader, Critic])
    host = world.machines[0].host
    host.submit("reader/1", world.encoded(Fan(3)))
    host.run(100)
    before = world.machines[0].store.journal.records
    host.seal()
    states_and_schemas = 4 + 4
    assert states_and_schemas >= world.machines[0].store.journal.records - before
    assert all(not seat.partition.desk.suspended for seat in host.context.seats if seat is not None)


def test_a_call_that_fails_fails_the_turn_after_its_attempts() -> None:
    """The handler sees the call's error; the turn is tried again under new keys."""
    keys: list[str] = []

    def fails(start: Start) -> Any:
        keys.append(start.key)
        raise ValueError("the model is down")

    world = World([Reader, Critic], caller=fails)
    world.send("reader/1", Study("a"))
    world.advance(60)
    assert [("reader/1", "call-failed: ValueError: the model is down")] == world.dead_letters()
    assert len(set(keys)) == len(keys) == world.kinds["reader"].settings.attempts


def test_what_a_critic_sums_up_is_right_in_the_end() -> None:
    """Every draft of a fan counts once."""
    world = World([Reader, Critic], machines=3, seed=5)
    world.ask("reader/1", Fan(4))
    world.send("critic/3", Draft(1))
    assert [0, 1, 2, 4] == [world.state(f"critic/{n}").total for n in range(4)]
