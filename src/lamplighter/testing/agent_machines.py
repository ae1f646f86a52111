"""Hosts and clients of a world of agents: what each does when the world tells it to take a step."""

import copy
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lamplighter.runtime.agents.agent import Message
from lamplighter.runtime.agents.host import Host
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.post import Status
from lamplighter.runtime.agents.release import Release
from lamplighter.runtime.agents.seats import partition_of
from lamplighter.runtime.agents.store import Sealed, Store
from lamplighter.testing.disk import PowerLossError, VirtualDisk

if TYPE_CHECKING:
    from lamplighter.testing.agents import World


class Machine:
    """One host of a world with its disk: it can be started, worked, synced and crashed at any step.

    Args:
        number: of the host.
        world: where it stands.
        disk: what survives.
    """

    def __init__(self, number: int, world: "World", disk: VirtualDisk) -> None:
        self.number = number
        self.disk = disk
        self._world = world
        self.up = True
        """Whether some host has this shard."""
        self.slow_until = 0.0
        """Until then its disk does not finish a sync."""
        self._flight: tuple[Sealed | None, Release] | None = None
        self.store: Store
        self.host: Host
        self.start()

    def start(self) -> None:
        """Recover what the disk holds and go on from there."""
        world = self._world
        self._flight = None
        self.store = Store.open(
            self.disk,
            host=self.number,
            partitions=world.partitions,
            holder=f"machine {self.number}",
            limits=world.limits,
        )
        own = [p for p in self.store.partitions if p.number % world.machines_count == self.number]
        self.host = Host(world.kinds, self.store.journal, own, total=world.partitions, now=world.now)
        self.host.resend()

    def work(self, budget: int) -> None:
        """Tell the time, run some turns, and close the frame if none is on its way to the disk."""
        self.host.tick(self._world.now)
        self.host.run(budget)
        if self._flight is None:
            release = self.host.seal()
            sealed = self.store.seal(self._world.now)
            chore = self.store.chore() if sealed is not None else None
            self._flight = (sealed, release)
            if chore is not None:
                self.slow_until = 0.0
                self.sync()
                chore.run()
                self.store.finish(chore)

    def sync(self) -> None:
        """Make the closed frame durable; then its effects leave."""
        if self._flight is None or self.slow_until > self._world.now:
            return
        sealed, release = self._flight
        if sealed is not None:
            self.store.journal.commit(sealed)
            self.store.journal.synced(sealed)
        self._flight = None
        self._world.released(self, release)

    def crash(self) -> None:
        """Lose the power; what was not synced is gone."""
        self.up = False
        self.host.close()
        self.disk.crash()

    def leave(self) -> None:
        """End in order, as a host does that gives a shard away: what it has accepted waits on the disk."""
        self.slow_until = 0.0
        self.sync()
        self.host.seal()
        sealed = self.store.seal(self._world.now)
        if sealed is not None:
            self.store.journal.commit(sealed)
            self.store.journal.synced(sealed)
        self.host.close()
        self.store.close()
        self.up = False

    def enter(self) -> None:
        """Be opened by some host, which may take several losses of power."""
        while not self.up:
            try:
                self.start()
                self.up = True
            except PowerLossError:
                self.disk.crash()

    def usurped(self) -> "Machine":
        """Be opened by a second host though the first one goes on; returns that first one."""
        former = copy.copy(self)
        former.slow_until = 0.0
        self.disk.release()
        self.up = False
        self.enter()
        return former

    @property
    def stuck(self) -> bool:
        """Whether there is nothing to do but to wait for a slow disk."""
        return self.slow_until > self._world.now and self._flight is not None and self.host.idle

    @property
    def at_rest(self) -> bool:
        """Whether nothing would come of working on."""
        return self.host.idle and self.host.sealed and self._flight is None and self.store.journal.empty


class Client:
    """A client with a session: what it sends is accepted once, in order, however often a host crashes.

    Attributes:
        accepted: how many of its messages are known to be durable.
        answers: by message number: what came back, as status and payload.
    """

    def __init__(self, name: str, world: "World") -> None:
        self.name = f"s/{name}"
        self.accepted = 0
        self.answers: dict[int, tuple[Status, bytes]] = {}
        self._world = world
        self._unaccepted: dict[int, deque[tuple[int, str, bytes, int]]] = {}
        self._sent: dict[int, int] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._has: dict[int, int] = {}
        self._count = 0

    @property
    def unaccepted(self) -> int:
        """How many of its messages are not known to be durable."""
        return sum(len(waiting) for waiting in self._unaccepted.values())

    def send(self, address: str, message: Message) -> int:
        """Send a message; returns its number, under which an answer will stand."""
        partition = partition_of(address, self._world.partitions)
        sequence = self._sent[partition] = self._sent.get(partition, 0) + 1
        self._count += 1
        waiting = self._unaccepted.setdefault(partition, deque())
        waiting.append((sequence, address, ENCODE(message), self._count))
        self._numbers[partition, sequence] = self._count
        self._offer(partition, [waiting[-1]])
        return self._count

    def resend(self, partitions: Iterable[int]) -> None:
        """Send again what these partitions have not accepted, after their host has come back."""
        for partition in partitions:
            waiting = self._unaccepted.get(partition)
            if waiting:
                self._offer(partition, list(waiting))

    def taken(self, partition: int, sequence: int) -> None:
        """A partition has accepted this client's messages up to a sequence."""
        waiting = self._unaccepted.get(partition, deque())
        while waiting and waiting[0][0] <= sequence:
            waiting.popleft()
            self.accepted += 1

    def answered(self, partition: int, sequence: int, status: Status, payload: bytes) -> None:
        """An answer has come; it may come more than once."""
        number = self._numbers[partition, sequence]
        before = self.answers.setdefault(number, (status, payload))
        assert before == (status, payload), f"message {number} was answered twice, and not in the same way"
        has = self._has.get(partition, 0)
        while self._numbers.get((partition, has + 1)) in self.answers:
            has += 1
        self._has[partition] = has
        machine = self._world.machine_of(partition)
        if machine.up:
            machine.host.received(partition, self.name, has)

    def _offer(self, partition: int, messages: list[tuple[int, str, bytes, int]]) -> None:
        machine = self._world.machine_of(partition)
        if not self._world.reaches(self.name, machine):
            return
        addresses = [message[1] for message in messages]
        payloads = [message[2] for message in messages]
        machine.host.offer(partition, self.name, messages[0][0], addresses, payloads, answers=True)
