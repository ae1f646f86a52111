"""Agents in memory and in virtual time: for tests of your agents, and of the runtime itself.

    world = World([Reader, Critic])
    assert Answer("zip") == world.ask("reader/7", Ask("?"))
    world.advance(30)                       timers go off
    world.crash(0)                          the power goes; everything acknowledged is still there
    assert 1 == world.state("reader/7").seen

One thread, no sleeping, no sockets: hosts, their disks and the network between them are steps that `World`
takes, in an order that its seed decides. The hosts and journals are the real ones.
"""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any, ClassVar

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.calls import takes_key
from lamplighter.runtime.agents.endings import told
from lamplighter.runtime.agents.errors import AskTimeoutError, OverloadedError, TurnError
from lamplighter.runtime.agents.errors import told as raised
from lamplighter.runtime.agents.kinds import ENCODE, Kind, kind_of, registry
from lamplighter.runtime.agents.links import Again, Link, Run, Taken, runs
from lamplighter.runtime.agents.post import ERROR, VALUE, Status, failure
from lamplighter.runtime.agents.release import Release, Start
from lamplighter.runtime.agents.seats import partition_of
from lamplighter.runtime.agents.store import Limits
from lamplighter.runtime.agents.store.journal import DEFAULT
from lamplighter.runtime.agents.store.records import Dead
from lamplighter.testing.agent_machines import Client, Machine
from lamplighter.testing.disk import PowerLossError, VirtualDisk

STEPS_MAX = 1_000_000
"""Steps after which a world that does not come to rest is given up."""
AGAIN_S = 2.0
"""How long senders wait before they send again what there was no room for."""
Caller = Callable[[Start], Any]


def plainly(start: Start) -> Any:
    """Call what a turn asked for, as it is; a coroutine function must not really suspend."""
    named = {"key": start.key} if takes_key(start.function) else {}
    made = start.function(*start.args, **named)
    if not hasattr(made, "send"):
        return made
    try:
        made.send(None)
    except StopIteration as stop:
        return stop.value
    raise TurnError("a call suspended; give the world a `caller` that stands for it")


__all__ = ["Client", "Machine", "World", "plainly"]


class World:
    """Hosts, their disks and what is under way between them, moved step by step.

    Args:
        agents: the classes that may be agents.
        machines: how many hosts.
        partitions: how many partitions, dealt out to the hosts in turn.
        seed: of the order of steps and of all chance.
        caller: stands for what `turn.call` would do outside; as it is by default.
        honest: whether the disks sync what they say they have; without that acknowledged work is lost.
    """

    limits: ClassVar[Limits] = DEFAULT
    """How large files grow, and how often snapshots are taken."""

    def __init__(
        self,
        agents: Iterable[type[Agent]],
        *,
        machines: int = 1,
        partitions: int = 8,
        seed: int = 0,
        caller: Caller = plainly,
        honest: bool = True,
    ) -> None:
        self.kinds: dict[str, Kind] = registry(agents)
        self.partitions = partitions
        self.machines_count = machines
        self.now = 1_000_000_000.0
        self.chance = Random(seed)  # noqa: S311 - chance of a simulation
        self.calls: deque[Start] = deque()
        self.clients: dict[str, Client] = {}
        self._caller = caller
        self._parted: set[tuple[str | int, int]] = set()
        self._former: list[Machine] = []
        self._answers: dict[int, tuple[Status, bytes]] = {}
        self._token = 0
        self._soon: dict[tuple[str | int, int], tuple[float, Callable[[], None]]] = {}
        self._wires: dict[tuple[int, int], deque[Link]] = {}
        disks = [VirtualDisk(self.chance.randrange(1 << 30), honest=honest) for _ in range(machines)]
        self.machines = [Machine(number, self, disk) for number, disk in enumerate(disks)]

    def client(self, name: str) -> Client:
        """Return the client of this name."""
        client = self.clients.get(f"s/{name}") or Client(name, self)
        return self.clients.setdefault(client.name, client)

    def machine_of(self, partition: int) -> Machine:
        """Return the host that has a partition."""
        return self.machines[partition % self.machines_count]

    def send(self, address: str, message: Message) -> None:
        """Send a message and let everything come to rest."""
        self._submit(address, message, 0)
        self.settle()

    def ask(self, address: str, message: Message, *, timeout_s: float = 60.0) -> Any:
        """Ask an agent, let time pass as far as needed, and return its answer.

        Raises:
            LampError: as which the turn failed; `AskTimeoutError` without an answer within `timeout_s`.
        """
        self._token += 1
        token = self._token
        self._submit(address, message, token)
        until = self.now + timeout_s
        self.settle()
        while token not in self._answers:
            wake = self._next_wake()
            if wake is None or wake > until:
                raise AskTimeoutError(f"{address} did not answer within {timeout_s:g} s")
            self.now = max(self.now, wake)
            self.settle()
        status, payload = self._answers.pop(token)
        if status == ERROR:
            raise raised(*failure(payload))
        return kind_of(self.kinds, address).answers[type(message)](payload)

    def state(self, address: str) -> Any:
        """Return an agent as it is now, or None if there is none."""
        kind = kind_of(self.kinds, address)
        partition = partition_of(address, self.partitions)
        machine = self.machine_of(partition)
        state = machine.store.state(machine.store.partitions[partition], address)
        return None if state is None else kind.decode(state.state)

    @staticmethod
    def encoded(message: Message) -> bytes:
        """Return a message as it travels."""
        return ENCODE(message)

    def dead_letters(self) -> list[tuple[str, str]]:
        """Return address and reason of each dead letter."""
        letters = [dead for _, dead in self._dead()]
        return [(letter.address, letter.reason) for letter in letters]

    def replay(self, address: str) -> None:
        """Send an agent's dead letters again and let everything come to rest."""
        for partition, letter in self._dead():
            if letter.address == address:
                self.machine_of(partition).host.bury(partition, letter.number, again=True)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass; whatever falls due on the way happens at its time."""
        until = self.now + seconds
        self.settle()
        while (wake := self._next_wake()) is not None and wake <= until:
            self.now = max(self.now, wake)
            self.settle()
        self.now = until
        self.settle()

    def become(self, agents: Iterable[type[Agent]]) -> None:
        """Go on with other classes, as after an upgrade: every host crashes and starts with them."""
        self.kinds = registry(agents)
        for number in range(self.machines_count):
            self.crash(number)

    def crash(self, number: int, *, down_s: float = 0.0) -> None:
        """Let a host lose its power; what was under way to and from it is lost. It is back after a while."""
        self._lose(number)
        self.machines[number].crash()
        self._back(number, down_s)

    def move(self, number: int, *, down_s: float = 0.0) -> None:
        """Let a host give its shard away in order; another one opens it after a while."""
        machine = self.machines[number]
        if not machine.up:
            return
        try:
            machine.leave()
        except PowerLossError:
            machine.crash()
        self._lose(number)
        self._back(number, down_s)

    def usurp(self, number: int) -> None:
        """Let another host take a shard though its owner goes on, for locks do not work; clients follow."""
        machine = self.machines[number]
        if machine.up:
            self._lose(number, former=False)
            self._former.append(machine.usurped())
            self._connect(number)

    def part(self, one: str | int, number: int, seconds: float) -> None:
        """Let nothing through between a host or a client (by its name) and a host, for a while."""
        self._parted |= {(one, number)} | ({(number, one)} if isinstance(one, int) else set())
        self._soon[f"join {one}", number] = (self.now + seconds, partial(self._join, one, number))

    def reaches(self, one: str | int, machine: Machine) -> bool:
        """Whether something that a host or a client sends gets to a host."""
        return machine.up and (one, machine.number) not in self._parted

    def _lose(self, number: int, *, former: bool = True) -> None:
        """Let go of what is under way to and from a host, and of whoever had its shard before."""
        for (sender, receiver), wire in self._wires.items():
            if number in {sender, receiver}:
                wire.clear()
        own = range(number, self.partitions, self.machines_count)
        self.calls = deque(call for call in self.calls if call.partition not in own)
        for machine in [one for one in self._former if former and one.number == number]:
            self._gone(machine)

    def _gone(self, former: Machine) -> None:
        former.host.close()
        self._former.remove(former)

    def _back(self, number: int, down_s: float) -> None:
        if down_s:
            self._soon["enter", number] = (self.now + down_s, partial(self._enter, number))
        else:
            self._enter(number)

    def _enter(self, number: int) -> None:
        self.machines[number].enter()
        self._connect(number)

    def _connect(self, number: int) -> None:
        """Let everybody go back to what a host that is there again has not accepted."""
        machine = self.machines[number]
        own = range(number, self.partitions, self.machines_count)
        for other in self.machines:
            if other is not machine and other.up:
                other.host.resend(own)
        for client in self.clients.values():
            machine.host.returned(client.name)
            client.resend(own)

    def _join(self, one: str | int, number: int) -> None:
        self._parted -= {(one, number)} | ({(number, one)} if isinstance(one, int) else set())
        if isinstance(one, int):
            self.cut(one, number)
        elif self.machines[number].up:
            self.machines[number].host.returned(one)
            self.clients[one].resend(range(number, self.partitions, self.machines_count))

    def close(self) -> None:
        """End every handler that waits."""
        for machine in [*self.machines, *self._former]:
            machine.host.close()

    def cut(self, one: int, other: int) -> None:
        """Cut the links between two hosts: what is under way is lost; they connect again and go back."""
        for way in ((one, other), (other, one)):
            self._wires.get(way, deque()).clear()
        for sender, receiver in ((one, other), (other, one)):
            theirs = range(receiver, self.partitions, self.machines_count)
            if self.machines[sender].up:
                self.machines[sender].host.resend(theirs)

    def settle(self) -> None:
        """Take steps until nothing is left to do at this time."""
        for _ in range(STEPS_MAX):
            if not self.step():
                return
        raise AssertionError(f"the agents are not at rest after {STEPS_MAX} steps")

    def step(self) -> bool:
        """Take one step, whichever chance picks; returns whether there was one to take."""
        acts: list[Callable[[], None]] = []
        for machine in self.machines:
            if machine.up and not machine.stuck and not self._resting(machine):
                acts += [partial(self._work, machine), partial(self._sync, machine)]
        acts += [partial(self._linger, former) for former in self._former]
        acts += [partial(self._deliver, way) for way, wire in self._wires.items() if wire]
        if any(at <= self.now for at, _ in self._soon.values()):
            acts.append(self._retry)
        if self.calls:
            acts.append(self._call)
        if not acts:
            return False
        self.chance.choice(acts)()
        return True

    def _resting(self, machine: Machine) -> bool:
        return machine.at_rest and (machine.host.next_wake() or self.now + 1) > self.now

    def released(self, machine: Machine, release: Release) -> None:
        """Carry what has left a host to where it goes."""
        for run in runs(release.parcels):
            self._wire(machine.number, run.to, run)
        for (sender, by), sequence in release.accepted.items():
            self._tell(machine, sender, by, Taken, sequence)
        for (sender, by), sequence in release.again.items():
            self._tell(machine, sender, by, Again, sequence)
        for sender, by, sequence, status, payload in release.answers:
            if sender and (sender, machine.number) not in self._parted:
                self.clients[sender].answered(by, sequence, status, payload)
            elif not sender:
                self._answers[sequence] = (status, payload)
        self.calls.extend(release.calls)

    def _submit(self, address: str, message: Message, token: int) -> None:
        kind_of(self.kinds, address)
        machine = self.machine_of(partition_of(address, self.partitions))
        if not machine.up:
            raise OverloadedError(f"nobody has the shard of {address}", retry_after_s=AGAIN_S)
        machine.host.submit(address, ENCODE(message), token)

    def _dead(self) -> list[tuple[int, Dead]]:
        desks = [self.machine_of(n).store.partitions[n].desk for n in range(self.partitions)]
        return [(n, dead) for n, desk in enumerate(desks) for dead in desk.dead.values()]

    def _next_wake(self) -> float | None:
        up = [machine for machine in self.machines if machine.up]
        wakes = [machine.slow_until if machine.stuck else machine.host.next_wake() for machine in up]
        soon = [at for at, _ in self._soon.values()]
        return min([at for at in [*wakes, *soon] if at is not None], default=None)

    def _work(self, machine: Machine) -> None:
        try:
            machine.work(self.chance.randrange(1, 30))
        except PowerLossError:
            self.crash(machine.number)

    def _sync(self, machine: Machine) -> None:
        try:
            machine.sync()
        except PowerLossError:
            self.crash(machine.number)

    def _linger(self, former: Machine) -> None:
        """Let an owner go on whose shard another has; it ends when it notices."""
        try:
            former.work(self.chance.randrange(1, 30))
            former.sync()
            if former.at_rest:
                self._gone(former)
        except (LampError, OSError):  # it was taken, or what it would read is gone
            self._gone(former)
        except PowerLossError:
            self.crash(former.number)

    def _tell(self, machine: Machine, sender: str, by: int, what: type[Taken | Again], sequence: int) -> None:
        client = self.clients.get(sender)
        if client is None:
            self._wire(machine.number, int(sender), what(int(sender), by, sequence))
        elif (sender, machine.number) in self._parted:
            return
        elif what is Taken:
            client.taken(by, sequence)
        else:
            self._later((sender, by), partial(client.resend, [by]))

    def _retry(self) -> None:
        for key, (at, act) in list(self._soon.items()):
            if at <= self.now:
                del self._soon[key]
                act()

    def _later(self, key: tuple[str | int, int], act: Callable[[], None]) -> None:
        self._soon.setdefault(key, (self.now + AGAIN_S, act))

    def _go_back(self, sender: int, by: int) -> None:
        machine = self.machine_of(sender % self.partitions)
        if machine.up:
            machine.host.go_back(sender, by)

    def _wire(self, sender: int, partition: int, link: Link) -> None:
        way = (sender, self.machine_of(partition % self.partitions).number)
        if not self.reaches(sender, self.machines[way[1]]):
            return
        self._wires.setdefault(way, deque()).append(link)

    def _deliver(self, way: tuple[int, int]) -> None:
        link = self._wires[way].popleft()
        host = self.machines[way[1]].host
        match link:
            case Run():
                host.arrive(link.to, link.sender, link.first, link.parcels)
            case Taken():
                host.acknowledged(link.sender, link.by, link.sequence)
            case Again():
                self._later((link.sender, link.by), partial(self._go_back, link.sender, link.by))

    def _call(self) -> None:
        start = self.calls.popleft()
        status: Status = VALUE
        try:
            payload = ENCODE(self._caller(start))
        except OverloadedError as error:
            again = partial(self.calls.append, start)
            self._soon[start.key, 0] = (self.now + error.retry_after_s, again)
            return
        except Exception as error:  # noqa: BLE001 - the function is the user's code
            status, payload = ERROR, ENCODE(("call-failed", told(error)[1]))
        machine = self.machine_of(start.partition)
        if machine.up:
            machine.host.resolve(start.partition, start.turn, start.n, status, payload)
