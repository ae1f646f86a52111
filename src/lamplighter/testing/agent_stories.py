"""Stories of agents under faults, each drawn from one seed, and the checker that judges them from outside.

    python -m lamplighter.testing.agent_stories --seed 7 [--count 100] [--dishonest]

Clients send to agents, which send on, ask, call, sleep, set timers and fail, on several hosts that lose
their power at any step, over links that are cut and that let nothing through for a while, on slow disks, with
a clock that jumps. Shards move, in order or after a crash, and some are taken from an owner that goes on. In
the end the faults stop. Then
every message that was accepted must have been handled once, in the order of its sender, or be a dead letter
for a reason that the story knows; nothing may be left under way.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents import post
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.errors import AskCycleError
from lamplighter.runtime.agents.kinds import kind_of
from lamplighter.runtime.agents.release import Start
from lamplighter.runtime.agents.seats import partition_of
from lamplighter.runtime.agents.store import Limits
from lamplighter.runtime.agents.turn import Turn
from lamplighter.testing.agents import Client, World

AGENTS = 7
REST_S = 3600.0
"""By then everything that waits has gone on: the longest wait of a story is a question's deadline."""


class Entry(Message):
    """To be logged under its sender's name and number, and then acted upon.

    Args:
        who: sender; its ways of sending count apart.
        n: counts from 1 for each receiver.
        acts: what the receiver does, in order.
    """

    who: str
    n: int
    acts: list[tuple[str, str, float]] = []


class Clerk(Agent):
    """Logs what it gets; does as it is told; counts what it sends to whom."""

    log: list[tuple[str, int]] = []
    sent: dict[str, int] = {}
    noted: list[tuple[str, int]] = []

    class Config:
        """A small mailbox, so that stories fill it."""

        mailbox = 4
        backoff_s = 0.5

    async def on_entry(self, turn: Turn, entry: Entry) -> int:
        """Log an entry and act upon it."""
        self.log.append((entry.who, entry.n))
        for act, to, seconds in entry.acts:
            await _ACTS[act](self, turn, entry, to, seconds)
        return entry.n

    def count(self, way: str) -> int:
        """Count what is sent on a way."""
        self.sent[way] = self.sent.get(way, 0) + 1
        return self.sent[way]


def oracle(key: str) -> int:
    """Stands for a model; the world answers in its place."""
    raise NotImplementedError(key)


async def _send(clerk: Clerk, turn: Turn, entry: Entry, to: str, _: float) -> None:
    rest = [("send", to, 0.0)] if entry.acts.count(("send", to, 0.0)) > 1 else []
    turn.send(to, Entry(turn.address, clerk.count(to), rest))


async def _ask(clerk: Clerk, turn: Turn, entry: Entry, to: str, seconds: float) -> None:
    way = f"{to}?"
    n = clerk.count(way)
    more = [act for act in entry.acts if act[0] in {"ask", "sleep"} and act[1] not in {to, turn.address}][:1]
    try:
        assert n == await turn.ask(to, Entry(f"{turn.address}?", n, more), timeout_s=seconds)
    except AskCycleError:
        clerk.sent[way] -= 1
    except LampError:
        return


async def _call(clerk: Clerk, turn: Turn, *_: Any) -> None:
    key = f"{turn.address}#{clerk.count('calls')}"
    clerk.noted.append((key, await turn.call(oracle, key)))


async def _sleep(_clerk: Clerk, turn: Turn, _entry: Entry, _to: str, seconds: float) -> None:
    await turn.sleep(seconds)


async def _timer(clerk: Clerk, turn: Turn, _entry: Entry, _to: str, seconds: float) -> None:
    turn.after(seconds, Entry(f"{turn.address}@", clerk.count(f"{turn.address}@")))


async def _poison(*_: Any) -> None:
    raise ValueError("poison")


_ACTS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "send": _send,
    "ask": _ask,
    "call": _call,
    "sleep": _sleep,
    "timer": _timer,
    "poison": _poison,
}
_WEIGHTS = {"send": 8, "ask": 3, "call": 3, "sleep": 1, "timer": 2, "poison": 1}


class SmallWorld(World):
    """A world whose hosts take snapshots, begin segments and sweep all the time."""

    limits = Limits(segment_bytes=4096, tail_records=24, segments_min=2, space=1.5)


_MOVES = {"move": 6, "dies": 3, "usurp": 2, "part": 3, "slow": 3}
MOVES_SHARE = 0.15
"""Of a story's events so many are followed by one of these."""
_EVENTS = {"send": 30, "steps": 40, "time": 8, "crash": 3, "loss": 3, "cut": 2, "back": 1}
KNOWN_DEATHS = ("overloaded: ", "handler-failed: ValueError: poison")


class Story:
    """One story: a world, its clients, and what chance does to them.

    Args:
        seed: of everything.
        honest: whether the disks sync.
    """

    def __init__(self, seed: int, *, honest: bool = True) -> None:
        self.chance = Random(f"agents {seed}")  # noqa: S311 - chance of a simulation
        self.told: dict[str, int] = {}
        self.moves = Random(f"moves {seed}")  # noqa: S311 - chance of a simulation
        self.world = self.moves.choice([World, SmallWorld])(
            [Clerk],
            machines=self.chance.randint(1, 3),
            partitions=self.chance.choice([3, 4, 8]),
            seed=seed,
            caller=self._oracle,
            honest=honest,
        )
        self.sent: Counter[tuple[str, str]] = Counter()
        self.clients = [self.world.client(f"c{n}") for n in range(self.chance.randint(1, 3))]
        self.messages = 0

    def run(self) -> None:
        """Tell the story to its end and judge it.

        Raises:
            AssertionError: something that was promised does not hold.
        """
        try:
            for _ in range(self.chance.randint(30, 150)):
                self._event()
            for machine in self.world.machines:
                machine.disk.forgive()
            for _ in range(3):
                self.world.advance(REST_S)
            judge(self)
        finally:
            self.world.close()

    def _event(self) -> None:
        self._happen()
        if self.moves.random() < MOVES_SHARE:
            self._move()

    def _move(self) -> None:
        """Let a shard change hands, a disk be slow, or somebody not be reached."""
        world, chance = self.world, self.moves
        number = chance.randrange(world.machines_count)
        seconds = chance.choice([0.0, 0.1, 2.0, 45.0])
        match chance.choices(list(_MOVES), list(_MOVES.values()))[0]:
            case "move":
                world.move(number, down_s=seconds)
            case "dies":
                world.crash(number, down_s=seconds)
            case "usurp":
                world.usurp(number)
            case "part":
                others: list[str | int] = [client.name for client in self.clients]
                others += [other for other in range(world.machines_count) if other != number]
                world.part(chance.choice(others), number, seconds)
            case "slow":
                world.machines[number].slow_until = world.now + seconds

    def _happen(self) -> None:
        world, chance = self.world, self.chance
        match chance.choices(list(_EVENTS), list(_EVENTS.values()))[0]:
            case "send":
                client = chance.choice(self.clients)
                for _ in range(chance.choice([1, 1, 3, 8])):
                    self._send(client)
            case "steps":
                for _ in range(chance.randint(1, 40)):
                    world.step()
            case "time":
                world.now += chance.choice([0.1, 1.0, 30.0])
            case "back":
                world.now -= chance.choice([0.1, 1.0, 30.0])
            case "crash":
                world.crash(chance.randrange(world.machines_count))
            case "loss":
                disk = chance.choice(world.machines).disk
                disk.lose_power_at(disk.steps + chance.randint(1, 6))
            case "cut":
                world.cut(chance.randrange(world.machines_count), chance.randrange(world.machines_count))

    def _send(self, client: Client) -> None:
        chance = self.chance
        to = f"clerk/{chance.randrange(AGENTS)}"
        acts = []
        for _ in range(chance.choice([0, 1, 1, 2, 3])):
            act = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
            acts.append((act, f"clerk/{chance.randrange(AGENTS)}", chance.choice([0.5, 5.0, 60.0])))
        if any(act[0] in {"call", "ask"} for act in acts):
            acts = [act for act in acts if act[0] not in {"poison", "send"}]
        self.sent[client.name, to] += 1
        self.messages += 1
        client.send(to, Entry(client.name, self.sent[client.name, to], acts))

    def _oracle(self, start: Start) -> int:
        """Answer anew each time, so that whoever keeps an answer that was not journaled shows."""
        self.told[start.args[0]] = self.told.get(start.args[0], 0) + 1
        return self.chance.randrange(1 << 30)


def judge(story: Story) -> None:
    """Compare what the agents know with what was sent.

    1. Every client's message was accepted and answered.
    2. Each agent has logged what each other sent it (and what it sent itself), once and in order; what is
       missing is a dead letter.
    3. Timers went off once each.
    4. Nothing is left under way.

    Raises:
        AssertionError: one of these does not hold.
    """
    world = story.world
    clerks = {f"clerk/{n}": world.state(f"clerk/{n}") or Clerk() for n in range(AGENTS)}
    dead = _dead(world)
    for client in story.clients:
        assert not client.unaccepted, f"{client.name}: {client.unaccepted} messages were never accepted"
    answered = sum(len(client.answers) for client in story.clients)
    assert answered == story.messages, f"{story.messages} messages have {answered} answers"
    for address, clerk in clerks.items():
        expected = {client.name: story.sent[client.name, address] for client in story.clients}
        for sender, other in clerks.items():
            expected[sender] = other.sent.get(address, 0)
            expected[f"{sender}?"] = other.sent.get(f"{address}?", 0)
            expected[f"{sender}@"] = other.sent.get(f"{address}@", 0) if sender == address else 0
        for who, count in expected.items():
            found = [n for name, n in clerk.log if name == who]
            lost = dead[address, who]
            ordered = sorted(found) if who.endswith("@") else found
            wanted = [n for n in range(1, count + 1) if n not in lost]
            assert ordered == wanted, f"{address} has {found} of {who}, of which {wanted} were to be handled"
        assert len(clerk.noted) == clerk.sent.get("calls", 0), f"{address} has not noted each call once"
    for machine in world.machines:
        for seat in machine.host.context.seats:
            if seat is not None:
                desk = seat.partition.desk
                left = {"mail": desk.mail, "turns": desk.suspended, "timers": desk.timers}
                left |= {"outbox": desk.outbox, "answers": desk.answers}
                assert not any(left.values()), f"partition {seat.number} has left {left}"


def _dead(world: World) -> dict[tuple[str, str], set[int]]:
    """The numbers of dead letters, by address and sender; each dead for a reason that stories know.

    Raises:
        AssertionError: one died of something else, or twice.
    """
    found: dict[tuple[str, str], set[int]] = {
        (f"clerk/{n}", who): set()
        for n in range(AGENTS)
        for who in [*world.clients, *(f"clerk/{m}{way}" for m in range(AGENTS) for way in ("", "?", "@"))]
    }
    for partition in range(world.partitions):
        desk = world.machine_of(partition).store.partitions[partition].desk
        for letter in desk.dead.values():
            assert letter.reason.startswith(KNOWN_DEATHS), (
                f"a message to {letter.address} is dead: {letter.reason}"
            )
            entry = kind_of(world.kinds, letter.address).read(post.letter(letter.message).payload)
            assert isinstance(entry, Entry)
            assert partition_of(letter.address, world.partitions) == partition
            numbers = found[letter.address, entry.who]
            assert entry.n not in numbers, f"{entry} is dead twice"
            numbers.add(entry.n)
    return found


def main() -> int:
    """Tell stories from the command line; returns 1 if one of them does not hold."""
    parser = argparse.ArgumentParser(prog="python -m lamplighter.testing.agent_stories")
    parser.add_argument("--seed", type=int, default=1, help="the first story's seed")
    parser.add_argument("--count", type=int, default=1, help="how many stories, one seed after the other")
    parser.add_argument("--dishonest", action="store_true", help="disks that do not sync")
    asked = parser.parse_args()
    wrong = 0
    for seed in range(asked.seed, asked.seed + asked.count):
        try:
            Story(seed, honest=not asked.dishonest).run()
        except (AssertionError, LampError) as error:
            wrong += 1
            print(f"seed {seed}: {error}")  # noqa: T201 - the command's output
    print(f"{asked.count - wrong} of {asked.count} stories hold")  # noqa: T201 - the command's output
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
