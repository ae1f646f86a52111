"""The local target: the engine's view of one machine, through the supervisor and the gateway.

It decides nothing. It turns actions into what the supervisor understands, and what the supervisor, the
gateway and /proc say into facts; a part that does not answer is a silent source, never an exception.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

from lamplighter.model.actions import Action, Configure, Dismantle, Forget, Outcome, Replace, Scale, Shift
from lamplighter.model.errors import EnvironmentFault, LampError, UnreachableError
from lamplighter.model.facts import HEALTH, MACHINE, PROCESSES, TRAFFIC, Facts, Phase, Replica, Source
from lamplighter.model.findings import Finding, Severity
from lamplighter.model.system import System
from lamplighter.model.value import Instant, digest
from lamplighter.ports import Clock, LogLine, Scope, Secrets
from lamplighter.targets.local import environment, seen, wishes
from lamplighter.targets.local.client import Client
from lamplighter.targets.local.gateway.admin import GatewayUnavailableError
from lamplighter.targets.local.gateway.statistics import Reading, read
from lamplighter.targets.local.loads import Loads, with_cpu, with_held
from lamplighter.targets.local.logs import lines
from lamplighter.targets.local.machine import Usage, machine
from lamplighter.targets.local.masking import Mask
from lamplighter.targets.local.missing import missing
from lamplighter.targets.local.releases.launch import launch
from lamplighter.targets.local.releases.store import ReleaseStore
from lamplighter.targets.local.supervisor import processes, protocol
from lamplighter.targets.local.supervisor.core import site_mark
from lamplighter.targets.local.supervisor.ports import can_listen

READ_DEADLINE_S = 1.0
"""For the gateway's statistics: 5 ms on an idle machine."""
HUNG_S = 10.0
"""A supervisor that lives and has not answered for so long is replaced; it answers within 10 ms."""
_CLOCK_SLIP_S = 0.1
_HINT_AGAIN_S = 0.5


class LocalTarget:
    """Implements Target, Previews, Streams and Hints on this machine."""

    def __init__(self, state_dir: Path, system_name: str, clock: Clock, secrets: Secrets) -> None:
        """Look at one system; starts and touches nothing.

        Args:
            state_dir: the system's own state folder (`$LAMP_STATE_DIR/<system>`).
            system_name: its name.
            clock: gives instants on the system's time line.
            secrets: asked for values when a replica is started.
        """
        self._state_dir = state_dir
        self._clock = clock
        self._secrets = secrets
        self._client = Client(state_dir, system_name)
        self._releases = ReleaseStore(state_dir / "releases")
        self._loads = Loads()
        self._usage = Usage()
        self._memory: dict[str, int] = {}
        self._sources: dict[str, Source] = {}
        self._replicas: tuple[Replica, ...] = ()
        self._last: protocol.Observed | None = None
        self._once_ready: frozenset[str] = frozenset()
        self._offset_s: float | None = None

    # --- observing

    async def observe(self, scope: Scope) -> Facts:
        """Return one snapshot: one call to the supervisor, one read of the gateway, and /proc.

        A system that has nothing here is known to be empty, not silent.
        """
        observed = await self._ask_supervisor(scope.now)
        reading = await self._read_gateway(observed, scope.now)
        replicas = self._seen(observed, reading)
        self._hear(MACHINE, scope.now, "")
        known = observed or self._last or _NOTHING
        loads = self._loads.since_last(reading, scope.now) if reading else {}
        return Facts(
            at=scope.now,
            wall=scope.wall,
            sources=dict(self._sources),
            replicas=replicas,
            loads=with_cpu(with_held(loads, observed.held if observed else {}), replicas),
            shares=known.shares,
            machine=machine(self._state_dir),
            configured=known.configured,
        )

    async def _ask_supervisor(self, now: Instant) -> protocol.Observed | None:
        if not self._client.expected:
            self._hear(PROCESSES, now, "")
            self._last = None
            return _NOTHING
        try:
            reply = await self._client.ask(protocol.Observe())
        except UnreachableError as error:
            self._hear(PROCESSES, now, error.message)
            if now - self._sources[PROCESSES].observed_at > HUNG_S:
                await self._client.end_hung()
            return None
        assert reply.observed is not None, "an observation is always answered with one"
        self._hear(PROCESSES, now, "")
        self._last = reply.observed
        return reply.observed

    async def _read_gateway(self, observed: protocol.Observed | None, now: Instant) -> Reading | None:
        if observed is not None and not observed.gateway.port and observed.gateway.pid is None:
            self._hear(HEALTH, now, "")
            self._hear(TRAFFIC, now, "")
            return None
        reading, fault = None, await _gateway_fault(observed)
        try:
            reading = await asyncio.to_thread(read, self._state_dir / "gateway", READ_DEADLINE_S)
            fault = _not_told(observed)
        except GatewayUnavailableError as error:
            fault = fault or str(error)
        self._hear(HEALTH, now, fault)
        self._hear(TRAFFIC, now, fault)
        return reading

    def _seen(self, observed: protocol.Observed | None, reading: Reading | None) -> tuple[Replica, ...]:
        if observed is None:
            return seen.unknown(self._replicas, reading)
        pids = [each.pid for each in observed.replicas if each.pid and each.phase != "exited"]
        usage = self._usage.read(pids)
        self._memory |= {
            each.id: usage[each.pid][0] for each in observed.replicas if each.pid in usage and each.pid
        }
        self._memory = {each.id: self._memory.get(each.id, 0) for each in observed.replicas}
        what = seen.Seen(observed, reading, usage, self._offset(), self._memory)
        self._replicas = seen.replicas(what, self._once_ready)
        self._once_ready = frozenset(
            each.id for each in self._replicas if each.ready or each.phase is Phase.RUNNING
        )
        return self._replicas

    def _hear(self, source: str, now: Instant, fault: str) -> None:
        """Note that a source answered now; or that it did not, since it last did."""
        before = self._sources.get(source)
        since = now if not fault or before is None else before.observed_at
        self._sources[source] = Source(observed_at=since, fault=fault)

    def _offset(self) -> float:
        """Return what turns CLOCK_MONOTONIC into instants: constant unless the clock slips or stops."""
        offset_s = self._clock.now() - time.monotonic()
        if self._offset_s is None or abs(offset_s - self._offset_s) > _CLOCK_SLIP_S:
            self._offset_s = offset_s
        return self._offset_s

    # --- acting

    async def apply(self, action: Action, *, action_id: str, token: int) -> Outcome:
        """Carry out an action through the supervisor, which is started first if there is none."""
        try:
            if isinstance(action, Dismantle) and not self._client.expected:
                return self._outcome(action_id, "done", "nothing-there", "nothing of this system is here")
            await self._client.ensure()
            operation = await self._operation(action, token)
            reply = (
                operation
                if isinstance(operation, protocol.Reply)
                else await self._client.ask(operation, token=token, action_id=action_id)
            )
        except UnreachableError as error:
            return self._outcome(action_id, "unknown", error.code, error.message)
        except LampError as error:
            return self._outcome(action_id, "refused", error.code, error.message)
        detail = reply.detail
        if reply.code == "port-taken" and isinstance(action, Configure):
            gateway = action.system.gateway
            detail = await asyncio.to_thread(environment.port_taken, gateway.host, gateway.port)
        return self._outcome(action_id, reply.state, reply.code, detail)

    async def _operation(self, action: Action, token: int) -> protocol.Op | protocol.Reply:
        """Return what to ask of the supervisor, or its refusal of what is needed before."""
        match action:
            case Configure():
                return protocol.Configure(digest(action.system), wishes.table(action.system))
            case Scale():
                stops = tuple(protocol.Stop(id=each, drain_s=action.drain_s) for each in action.stops)
                return await self._ensure(action, action.starts, stops, token)
            case Replace():
                stop = protocol.Stop(id=action.replica, drain_s=action.drain_s)
                return await self._ensure(action, (action.start,), (stop,), token)
            case Shift():
                return protocol.Shift(action.workload, action.shares)
            case Forget():
                return protocol.Forget(action.replicas)
            case Dismantle():
                return protocol.Dismantle(action.grace_s)

    async def _ensure(
        self, action: Scale | Replace, ids: tuple[str, ...], stops: tuple[protocol.Stop, ...], token: int
    ) -> protocol.Op | protocol.Reply:
        if not ids:
            return protocol.Ensure(stops=stops)
        reply = await self._client.ask(protocol.Reserve(ids), token=token)
        if reply.state == "refused":
            return reply
        starts = await asyncio.to_thread(self._starts, action, reply.ports)
        return protocol.Ensure(starts=starts, stops=stops)

    def _starts(self, action: Scale | Replace, ports: dict[str, int]) -> tuple[protocol.Start, ...]:
        """Read the release and its secrets from disk; the values go into the environment and nowhere else."""
        release = self._releases.get(action.release)
        values = {name: self._secrets.value(name, version) for name, version in release.secrets.items()}
        return tuple(
            protocol.Start(
                id=each,
                workload=action.workload,
                release=action.release,
                port=port,
                argv=tuple(started.argv),
                cwd=started.cwd,
                env=started.env,
            )
            for each, port in ports.items()
            for started in [launch(self._releases.root, release, port=port, secrets=values, extra={})]
        )

    def _outcome(self, action_id: str, state: str, code: str = "", detail: str = "") -> Outcome:
        return Outcome(action=action_id, state=state, at=self._clock.now(), code=code, detail=detail)  # type: ignore[arg-type]

    # --- the rest of what it offers

    async def preview(self, action: Action) -> Sequence[Finding]:
        """Return what stands in the way of `action`; touches nothing."""
        if isinstance(action, Configure):
            return [*self.missing(action.system), *await self._in_the_way_of(action.system)]
        if isinstance(action, Scale | Replace):
            try:
                self._releases.get(action.release)
            except LampError as error:
                return [_refusal(error.code, action.workload, error.message)]
        return []

    async def _in_the_way_of(self, system: System) -> list[Finding]:
        host, port = system.gateway.host, system.gateway.port
        try:
            observed = (await self._client.ask(protocol.Observe())).observed
        except UnreachableError:
            observed = None
        if observed is not None and observed.gateway.port == port:
            return []
        if can_listen(host, port):
            return []
        if observed is None and await asyncio.to_thread(self._has, port):
            return []
        said = await asyncio.to_thread(environment.port_taken, host, port)
        return [_refusal("port-taken", "gateway", said)]

    def _has(self, port: int) -> bool:
        """Return whether a process of this system listens there, whether or not its supervisor answers."""
        owner = environment.port_owner(port)
        marked = processes.marked(site_mark(self._state_dir)) if owner else ()
        return any(each.pid == owner.pid for each in marked if owner)

    def missing(self, system: System) -> Sequence[Finding]:
        """Return a `not-on-this-target` finding for each part of the spec that cannot run here yet."""
        return missing(system)

    async def require(self, system: System) -> None:
        """Raise EnvironmentFault for what this machine lacks: Linux, or the gateway's port.

        A port that this system's own gateway has is not taken.
        """
        environment.require_platform()
        if left := self.leftovers():
            raise EnvironmentFault(
                f"{len(left)} processes of {system.name} run here, and its state has been deleted",
                code="left-behind",
                mend="end them: lamp down",
            )
        if await self._in_the_way_of(system):
            await asyncio.to_thread(environment.require_port, system.gateway.host, system.gateway.port)

    def remains(self) -> bool:
        """Return whether a supervisor or any process of this system is still here."""
        return self._client.alive() or bool(processes.marked(site_mark(self._state_dir)))

    def leftovers(self) -> tuple[int, ...]:
        """Return the pids of what runs of this system though nothing is noted of it: its state is gone."""
        if self._client.expected:
            return ()
        return tuple(each.pid for each in processes.marked(site_mark(self._state_dir)))

    async def end_leftovers(self, grace_s: float = 5.0) -> None:
        """End what runs without a state: a supervisor adopts it and ends it.

        Raises:
            EnvironmentFault, UnreachableError: no supervisor could be had.
        """
        await self._client.ensure()
        await self._client.ask(protocol.Dismantle(grace_s), token=1, action_id="end-leftovers")
        while processes.marked(site_mark(self._state_dir)):  # noqa: ASYNC110 - nothing tells of strangers' ends
            await asyncio.sleep(_HINT_AGAIN_S / 10)

    def logs(self, workload: str, *, follow: bool, tail: int) -> AsyncIterator[LogLine]:
        """Yield the last `tail` lines of each replica of a workload, then new ones if `follow`.

        Secret values that the replicas were given are masked.
        """
        mask = Mask(self._releases, self._secrets)
        return lines(self._state_dir / "logs", workload, mask, follow=follow, tail=tail)

    async def hints(self) -> AsyncIterator[str]:
        """Yield the subject of each change; keeps a supervisor running as long as it is iterated.

        One is only started where there was one before: a system that has nothing here gets none.
        """
        while True:
            if self._client.expected:
                await self._revive()
                async with aclosing(self._client.watch()) as subjects:
                    async for subject in subjects:
                        yield subject
                yield "supervisor"
            else:
                await asyncio.sleep(_HINT_AGAIN_S)

    async def _revive(self) -> None:
        """Have a supervisor; where none can be started the source stays silent, and it is tried again."""
        try:
            await self._client.ensure(anew=False)
        except LampError as error:
            self._sources[PROCESSES] = Source(observed_at=self._sources_since(), fault=error.message)
            await asyncio.sleep(_HINT_AGAIN_S)

    def _sources_since(self) -> Instant:
        before = self._sources.get(PROCESSES)
        return before.observed_at if before else self._clock.now()


_NOTHING = protocol.Observed(now=0.0, pid=0, token=0)


def _not_told(observed: protocol.Observed | None) -> str:
    """Return why the gateway acts on an older list of replicas than there is, if it does."""
    faults = observed.faults if observed else ()
    return next((each for each in faults if each.startswith("gateway-not-written")), "")


async def _gateway_fault(observed: protocol.Observed | None) -> str:
    """Return why the gateway is down, if it is; with who has its port, if that is why."""
    if observed is None:
        return ""
    if not observed.gateway.fault or observed.gateway.pid is not None:
        return observed.gateway.fault
    owner = await asyncio.to_thread(environment.port_owner, observed.gateway.port)
    held = f"; its port is held by process {owner.pid} ({owner.command})" if owner else ""
    return f"{observed.gateway.fault}{held}"


def _refusal(kind: str, subject: str, message: str) -> Finding:
    return Finding(kind=kind, subject=subject, message=message, severity=Severity.URGENT)
