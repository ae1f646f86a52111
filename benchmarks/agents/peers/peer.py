"""One peer: how it is installed, and one run of it, measured from outside."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.agents.peers import counting, environments
from benchmarks.agents.peers.stage import START_S, PeerFailedError, Stage, staged

WARM_SHARE = 0.2
IDLE_S = 1.5
MESSAGE_S = 2.0
MICRO = 1e6


class Form(msgspec.Struct, frozen=True):
    """What one way of sending took.

    Args:
        at_once: how many messages were under way together.
        cpu_us: processor time a message, user and system, of all the peer's processes, and of the client
            too where that lives in the same process.
        net_us: the same without what the peer uses when nothing is sent.
        client_us: the client's a message, where it is a process of its own; else None.
        p50_s: from sending a message until its acknowledgement.
    """

    messages: int
    at_once: int
    cpu_us: float
    net_us: float
    client_us: float | None
    wall_s: float
    p50_s: float
    p99_s: float


class Measured(msgspec.Struct, frozen=True):
    """What one run of a peer gave.

    Args:
        start_s: until it takes messages, agents not counted.
        memory_bytes: resident (proportional) of all its processes, the client's included, with agents.
        agent_bytes: how much of that each of the second half of the agents added.
        idle_cores: processor time a second when nothing is sent.
        processes: how many there are, the client's included.
        ended: how many ended while it was measured; their time counts if their parent waited for them.
    """

    peer: str
    agents: int
    forms: dict[str, Form]
    start_s: float
    memory_bytes: int
    agent_bytes: float
    idle_cores: float
    processes: int
    ended: int


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer, and what is to be known when its figures stand beside ours.

    Args:
        name: also of its file in `versions/`.
        what: what one message is.
        program: its module in `programs/`.
        requires: the packages that it is installed with; `versions/` pins them and what they need.
        factor: how many times less processor time than it ours must take a message.
        held: the forms that count for that; the cheapest of them does.
        client_apart: whether the client is a process of its own, whose time is not the peer's.
        messages, agents: of a run that takes some seconds, by default.
        durable: what an acknowledgement means in a crash and in a power cut.
        buys: what it gives its users that ours does not.
        lacks: what ours gives that it does not.
        settings: environment of its processes.
    """

    name: str
    what: str
    program: str
    requires: tuple[str, ...]
    factor: float
    held: tuple[str, ...]
    client_apart: bool
    messages: int
    agents: int
    durable: str
    buys: str
    lacks: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def renew(self) -> None:
        """Pin the newest versions; its figures are others then.

        Raises:
            AbsentError: they do not go together, or the index cannot be reached.
        """
        environments.pin(self.name, self.requires)

    def install(self, cache: Path | None = None) -> Path:
        """Make its environment unless it stands, and return the interpreter of it.

        Raises:
            AbsentError: it cannot be had here, and why.
        """
        return environments.made(self.name, cache or environments.cache())

    def run(
        self,
        messages: int | None = None,
        agents: int | None = None,
        *,
        seed: int = 1,
        cache: Path | None = None,
        scratch: Path | None = None,
    ) -> Measured:
        """Start it, make agents, warm up, send so many messages in each of its forms, and stop it.

        Args:
            messages: in each form.
            agents: how many the messages go to, uniformly.
            seed: which of them.
            cache: where environments stand.
            scratch: a folder with a short path, on the disk that is to be synced.

        Raises:
            AbsentError: it is not installed and cannot be.
            PeerFailedError: it did not start, or lost messages, or took too long; what it said is in it.
        """
        with staged(self.install(cache), self.program, self.settings, scratch) as stage:
            return measured(self, stage, messages or self.messages, agents or self.agents, seed)


def measured(peer: Peer, stage: Stage, messages: int, agents: int, seed: int) -> Measured:
    """Measure a peer whose stage has just been started; see `Peer.run`."""
    began = time.monotonic()
    chunks: dict[str, int] = stage.answer(START_S)["forms"]
    start_s = time.monotonic() - began
    run = _Run(stage, peer, agents, seed)
    run.make(0, agents // 2)
    before = counting.memory_bytes(stage.pid)
    run.make(agents // 2, agents)
    agent_bytes = (counting.memory_bytes(stage.pid) - before) / (agents - agents // 2)
    run.warm(chunks, max(int(messages * WARM_SHARE), 1))
    idle, first = run.idle(), counting.usage(stage.pid).processes
    forms = {name: run.form(name, chunk, messages, idle) for name, chunk in chunks.items()}
    last, memory = counting.usage(stage.pid).processes, counting.memory_bytes(stage.pid)
    run.check()
    return Measured(
        peer.name, agents, forms, start_s, memory, agent_bytes, idle, len(last), len(first - last)
    )


class _Run:
    """What is sent to one stage, counted so that it can be checked that nothing was lost."""

    def __init__(self, stage: Stage, peer: Peer, agents: int, seed: int) -> None:
        self._stage = stage
        self._peer = peer
        self._agents = agents
        self._seed = seed
        self._sent = 0

    def make(self, first: int, end: int) -> None:
        """Make the agents of these numbers."""
        self._stage.ask(START_S + (end - first) * MESSAGE_S, do="make", first=first, agents=end - first)

    def warm(self, forms: Mapping[str, int], messages: int) -> None:
        """Send some messages in each form, that are not measured."""
        for name in forms:
            self._send(name, messages)

    def idle(self) -> float:
        """Return the processor time a second that it takes for nothing."""
        before = self._peer_s()
        time.sleep(IDLE_S)
        return (self._peer_s() - before) / IDLE_S

    def form(self, name: str, at_once: int, messages: int, idle: float) -> Form:
        """Send the messages and return what they took."""
        began, before = time.monotonic(), counting.usage(self._stage.pid)
        answer = self._send(name, messages)
        took_s, after = time.monotonic() - began, counting.usage(self._stage.pid)
        client_s, peer_s = after.root_s - before.root_s, after.below_s - before.below_s
        if not self._peer.client_apart:
            peer_s += client_s
        return Form(
            messages,
            at_once,
            cpu_us=peer_s / messages * MICRO,
            net_us=max(peer_s - idle * took_s, 0.0) / messages * MICRO,
            client_us=client_s / messages * MICRO if self._peer.client_apart else None,
            **answer,
        )

    def check(self) -> None:
        """Compare what the agents counted with what was sent."""
        handled = self._stage.ask(START_S, do="handled")["handled"]
        if handled != self._sent:
            raise PeerFailedError(f"{self._peer.name} was sent {self._sent} messages and counted {handled}")

    def _send(self, form: str, messages: int) -> dict[str, float]:
        self._sent += messages
        request = {"form": form, "messages": messages, "agents": self._agents, "seed": self._seed}
        return self._stage.ask(START_S + messages * MESSAGE_S, do="send", **request)

    def _peer_s(self) -> float:
        now = counting.usage(self._stage.pid)
        return now.below_s if self._peer.client_apart else now.below_s + now.root_s
