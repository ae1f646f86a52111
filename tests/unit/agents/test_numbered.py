"""What a broker has numbered: taken once, in order, with gaps, and gone back to where there was none."""

from lamplighter.runtime import Agent, Message, Turn
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.numbered import Stretch
from lamplighter.testing.agents import World


class Put(Message):
    """To be written down."""

    n: int


class Keeper(Agent):
    """Writes numbers down."""

    log: list[int] = []

    async def on_put(self, turn: Turn, put: Put) -> None:
        """Write down; 0 takes a while."""
        if put.n == 0:
            await turn.sleep(10)
        self.log.append(put.n)

    class Config:
        """One may wait."""

        mailbox = 1


def offer(world: World, after: int, *numbers: int) -> None:
    """Offer numbers to the one keeper, as a broker's messages of the same numbers."""
    world.client("way/numbers")
    stretch = Stretch(after, numbers, ["keeper/1"] * len(numbers), [ENCODE(Put(n)) for n in numbers])
    world.machines[0].host.numbered.offer(0, "s/way/numbers", stretch)
    world.settle()


def log(world: World) -> list[int]:
    """What the keeper has written down."""
    state = world.state("keeper/1")
    return state.log if state is not None else []


def test_numbers_may_have_gaps() -> None:
    """They only have to grow."""
    world = World([Keeper], partitions=1)
    offer(world, 0, 3, 7)
    offer(world, 7, 12)
    assert [3, 7, 12] == log(world)


def test_what_is_known_is_passed_over_also_after_a_crash() -> None:
    """A reader that begins again offers what it is not sure of, and what follows."""
    world = World([Keeper], partitions=1)
    offer(world, 0, 3, 7)
    world.crash(0)
    offer(world, 0, 3, 7, 12)
    assert [3, 7, 12] == log(world)


def test_what_does_not_fit_on_is_not_taken() -> None:
    """One that came before it is missing: the sender goes back."""
    world = World([Keeper], partitions=1)
    offer(world, 0, 3)
    offer(world, 7, 12)
    assert [3] == log(world)
    offer(world, 3, 7, 12)
    assert [3, 7, 12] == log(world)


def test_what_there_is_no_room_for_is_taken_later_in_order() -> None:
    """A busy agent's mailbox is full: nothing after that is taken either, until it is offered again."""
    world = World([Keeper], partitions=1)
    world.send("keeper/1", Put(0))
    world.settle()
    offer(world, 0, 3)
    offer(world, 3, 7)
    offer(world, 7, 12)
    world.advance(20)
    assert [0, 3] == log(world)
    offer(world, 0, 7, 12)
    world.advance(1)
    assert [0, 3, 7, 12] == log(world)
