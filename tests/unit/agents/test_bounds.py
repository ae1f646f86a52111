"""What may wait in a host, and for how long what idles is remembered."""

import pytest

from lamplighter.runtime import Agent, Message, Turn
from lamplighter.runtime.agents import bounds
from lamplighter.runtime.agents.errors import OverloadedError
from lamplighter.runtime.agents.store.records import Heard
from lamplighter.testing.agents import World


class Say(Message):
    """Something of a size; may keep the agent busy."""

    text: str = ""
    for_s: float = 0.0


class Slow(Agent):
    """Sleeps as long as it is told to; its mailbox holds little."""

    heard: int = 0

    class Config:
        """Room for some three messages of a kilobyte."""

        mailbox_bytes = 4000

    async def on_say(self, turn: Turn, say: Say) -> int:
        """Sleep, count."""
        if say.for_s:
            await turn.sleep(say.for_s)
        self.heard += 1
        return self.heard


@pytest.fixture
def world() -> World:
    """One host, whose agent `slow/1` is busy for a minute."""
    world = World([Slow])
    world.send("slow/1", Say(for_s=60))
    return world


def test_a_mailbox_is_bounded_in_bytes(world: World) -> None:
    """A message beyond the bytes that may wait for one agent is refused with a time to try again."""
    for _ in range(4):
        world.send("slow/1", Say("x" * 1000))
    with pytest.raises(OverloadedError) as told:
        world.send("slow/1", Say())
    assert told.value.retry_after_s > 0


def test_a_mailbox_has_room_again_once_it_is_emptied(world: World) -> None:
    """What has been handled weighs nothing any more."""
    for _ in range(4):
        world.send("slow/1", Say("x" * 1000))
    world.advance(61)
    assert 6 == world.ask("slow/1", Say())
    assert 0 == world.machines[0].host.context.load.parked_bytes


def test_what_waits_in_all_mailboxes_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host refuses messages for busy agents when all its mailboxes together are heavy; others go on."""
    monkeypatch.setattr(bounds, "PARKED_BYTES_MAX", 1000)
    world.send("slow/1", Say("x" * 1000))
    with pytest.raises(OverloadedError):
        world.send("slow/1", Say())
    assert 1 == world.ask("slow/2", Say())


def test_what_was_in_mailboxes_weighs_as_much_after_a_crash(world: World) -> None:
    """The bytes that wait are counted again when a host comes back."""
    world.send("slow/1", Say("x" * 1000))
    before = world.machines[0].host.context.load.parked_bytes
    world.crash(0)
    world.settle()
    assert before == world.machines[0].host.context.load.parked_bytes > 1000


def test_a_host_is_full_by_the_bytes_it_was_offered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offered bytes make a host full; once they are accepted it is not."""
    monkeypatch.setattr(bounds, "INLET_BYTES_MAX", 5000)
    host = world.machines[0].host
    world.client("c").send("slow/3", Say("x" * 6000))
    assert host.full
    world.settle()
    assert not host.full


def _host_with_a_session(name: str) -> tuple[World, set[str]]:
    """A world in which a session was heard of once, and the marks that remain after an hour and a bit."""
    world = World([Slow], partitions=1)
    host = world.machines[0].host
    world.machines[0].store.partitions[0].desk.fold(Heard(world.now, {name: 1}))
    world.advance(bounds.KEY_IDLE_S + 1)
    host.tick(world.now)
    return world, set(world.machines[0].store.partitions[0].desk.marks)


@pytest.mark.parametrize(("name", "left"), [("k/key", set()), ("s/client", {"s/client"}), ("7", {"7"})])
def test_an_idle_key_is_forgotten_after_an_hour(name: str, left: set[str]) -> None:
    """Keys are forgotten after an hour; clients and other hosts are not."""
    world, before = _host_with_a_session(name)
    world.machines[0].host.forget_idle(set())
    assert ({name}, left) == (before, set(world.machines[0].store.partitions[0].desk.marks))


@pytest.mark.parametrize(("present", "left"), [(set(), set()), ({"s/client"}, {"s/client"})])
def test_a_client_that_is_gone_is_forgotten_after_a_day(present: set[str], left: set[str]) -> None:
    """A client's session is forgotten after a day, unless it is connected."""
    world, _ = _host_with_a_session("s/client")
    world.advance(bounds.SESSION_IDLE_S)
    world.machines[0].host.tick(world.now)
    world.machines[0].host.forget_idle(present)
    assert left == set(world.machines[0].store.partitions[0].desk.marks)


def test_a_queue_that_stands_takes_no_more(world: World) -> None:
    """Callers are refused by a queue that has not been empty for half a second; not by a burst."""
    host = world.machines[0].host
    for n in range(bounds.STANDING):
        host.submit(f"slow/a{n}", World.encoded(Say()))
    host.tick(world.now)
    host.submit("slow/burst", World.encoded(Say()))
    host.tick(world.now + bounds.STANDING_S + 0.1)
    with pytest.raises(OverloadedError):
        host.submit("slow/late", World.encoded(Say()))


def test_a_queue_that_was_emptied_takes_messages_again(world: World) -> None:
    """Once what stood is handled there is room at once."""
    host = world.machines[0].host
    for n in range(bounds.STANDING):
        host.submit(f"slow/a{n}", World.encoded(Say()))
    for later in (0.0, bounds.STANDING_S + 0.1):
        host.tick(world.now + later)
    host.run(10 * bounds.STANDING)
    for n in range(bounds.STANDING + 1):
        host.submit(f"slow/b{n}", World.encoded(Say()))
    assert 0 == host.counts.refused
