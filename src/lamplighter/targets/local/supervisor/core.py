"""The supervisor itself: what it is asked, what it remembers, and what it does about an exit.

Every request is answered in one go, without waiting for anything; what takes time (draining, ending)
goes on in tasks of its own. Mechanism only: whether a replica is replaced is decided elsewhere.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from signal import SIGKILL
from typing import Any

import msgspec

from lamplighter.targets.local.activator import Activator, serving
from lamplighter.targets.local.gateway.table import Table
from lamplighter.targets.local.installation import mark
from lamplighter.targets.local.supervisor import room
from lamplighter.targets.local.supervisor.adoption import gone, take_up
from lamplighter.targets.local.supervisor.children import Children, Ended
from lamplighter.targets.local.supervisor.endings import Endings
from lamplighter.targets.local.supervisor.keeping import Keeping, Say
from lamplighter.targets.local.supervisor.lineage import carried
from lamplighter.targets.local.supervisor.logs import cut_large, drop_old
from lamplighter.targets.local.supervisor.ports import Ports, can_listen
from lamplighter.targets.local.supervisor.processes import Identity, family, marked, send, started_at
from lamplighter.targets.local.supervisor.protocol import (
    Configure,
    Dismantle,
    Ensure,
    Forget,
    Observe,
    Observed,
    Op,
    Reply,
    Request,
    Reserve,
    SeenReplica,
    Shift,
    Start,
    Stop,
    Watch,
)
from lamplighter.targets.local.supervisor.proxy import KEY as GATEWAY
from lamplighter.targets.local.supervisor.proxy import Gateway
from lamplighter.targets.local.supervisor.routing import routed
from lamplighter.targets.local.supervisor.state import FORM, Replica

LOG_LOOK_S = 1.0
"""Between two looks at the size of the logs; what is written in this time is what a log may exceed."""
UNTOLD = "an earlier supervisor started it, and this kernel does not tell others how it ended"
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


class Supervisor:
    """One system's processes on this machine."""

    def __init__(self, folder: Path, system: str, tasks: asyncio.TaskGroup, say: Say) -> None:
        """Read what is remembered; `start` then takes up what lives.

        Args:
            folder: the system's state folder.
            system: its name.
            tasks: owns everything that takes time.
            say: writes one structured line to the supervisor's own log.
        """
        self.dismantled = asyncio.Event()
        self._folder, self._system = folder, system
        self._tasks, self._say = tasks, say
        self._site, self._mark = site_mark(folder), mark()
        self._kept = Keeping(folder / "supervisor", say)
        self._state = self._kept.state
        self._ports = Ports()
        room.enter(folder / "gateway", self._site)
        self._children = Children(self._exited)
        marks = {"LAMP_SITE": self._site, "LAMP_SYSTEM": system, "LAMP_GATEWAY": "1"}
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        log = folder / "logs" / "gateway.log"
        self._gateway = Gateway(folder / "gateway", log, passed | marks, self._children)
        self._gateway.on_change(self._gateway_changed, self._gateway_lost)
        self._endings = Endings(self._site, self._children, self._gateway.in_flight, self._changed)
        self._activator = Activator(
            folder / "gateway", self._state.awake, serving, self._why_not_started, self._woken
        )
        self._watchers: set[Callable[[str], None]] = set()

    # --- starting

    def start(self) -> None:
        """Take up what an earlier supervisor left, and go on with what it was doing."""
        if swept := room.sweep():
            self._say("gateway-folders-swept", folders=swept)
        found = take_up(self._state, self._site, self._children, self._ports)
        self._adopt_gateway(found.gateways)
        live = [each for each in self._state.replicas.values() if each.phase != "exited"]
        self._say("supervisor-started", adopted=[each.id for each in live], leftovers=len(found.left))
        for replica_id, left in found.left.items():
            self._go(self._endings.sweep(replica_id, left))
        for replica in live:
            if replica.phase in ("draining", "ending"):
                self._go(self._endings.drain(replica))
        self._kept.save()
        self._waiting = self._go(self._activator.run())
        self._route()
        if self._state.dismantle_s is not None:
            self._go(self._dismantle(self._state.dismantle_s))
        self._look_at_logs()

    def _adopt_gateway(self, gateways: list[Identity]) -> None:
        internal_port = self._gateway.internal_port_on_disk()
        if internal_port and (gateways or can_listen("127.0.0.1", internal_port)):
            self._ports.claim(GATEWAY, internal_port)
        for number, identity in enumerate(gateways):
            since = self._state.gateway_since or started_at(identity.started)
            if number or not self._gateway.adopt(identity, since):
                send([identity], SIGKILL)  # a second one, of a supervisor that ended too early

    def leave(self) -> None:
        """Keep everything that is known for a successor, which goes on with all of it."""
        self._kept.save()

    async def look_after_gateway(self) -> None:
        """See to it that the gateway serves, for as long as this is not cancelled."""
        await self._guarded(self._gateway.watched())

    # --- requests

    def handle(self, request: Request) -> Reply:
        """Carry out one request, or refuse it. Never waits, never raises for what a caller sent."""
        if isinstance(request.op, Observe):
            return Reply(state="done", observed=self.observed())
        if request.token < self._state.token:
            detail = f"token {request.token} is older than {self._state.token}"
            return Reply(state="refused", code="fenced", detail=detail)
        self._kept.raise_fence(request.token)
        if request.action_id in self._state.actions:
            return self._state.actions[request.action_id]
        reply = self._carry_out(request.op)
        if request.action_id and reply.state != "refused":
            self._state.remember(request.action_id, reply)
            self._kept.save()  # before the answer: what was accepted is not forgotten
        return reply

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Call `watcher` with the subject of each change, until what is returned is called."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def observed(self) -> Observed:
        """Return everything that is known."""
        return Observed(
            now=time.monotonic(),
            pid=os.getpid(),
            token=self._state.token,
            configured=self._state.configured,
            replicas=tuple(_seen(each) for each in self._state.replicas.values()),
            gateway=self._gateway.seen(),
            shares=self._state.shares,
            faults=tuple(self._kept.faults.values()),
            dismantling=self._state.dismantle_s is not None,
            mark=self._mark,
            form=FORM,
            held=self._activator.held(),
        )

    def _carry_out(self, op: Op) -> Reply:
        if self._state.dismantle_s is not None and not isinstance(op, Dismantle):
            return Reply(state="refused", code="dismantling", detail="everything is being ended")
        match op:
            case Reserve():
                return self._reserve_ports(op)
            case Configure():
                return self._configure(op)
            case Ensure():
                return self._ensure(op)
            case Shift():
                return self._shift(op)
            case Forget():
                return self._forget(op)
            case Dismantle():
                return self._begin_dismantling(op)
            case Observe() | Watch():
                return Reply(state="done")

    def _reserve_ports(self, op: Reserve) -> Reply:
        known = self._state.replicas
        for unused in self._ports.owners() - {*known, *op.ids, GATEWAY}:
            self._ports.release(unused)  # its start never came; one that still comes claims it again
        try:
            ports = {
                each: known[each].port if each in known else self._ports.reserve(each) for each in op.ids
            }
        except OSError as error:
            return Reply(state="refused", code="no-free-port", detail=str(error))
        return Reply(state="done", ports=ports)

    def _configure(self, op: Configure) -> Reply:
        try:
            table = msgspec.structs.replace(op.table, internal_port=self._ports.reserve(GATEWAY))
        except OSError as error:
            return Reply(state="refused", code="no-free-port", detail=str(error))
        if not self._gateway.may_listen(table):
            detail = f"port {table.port} of {table.host} is taken by another program"
            return Reply(state="refused", code="port-taken", detail=detail)
        self._state.table, self._state.configured = table, op.digest
        self._state.shares = {
            name: shares for name, shares in self._state.shares.items() if _has_backend(table, name)
        }
        self._route()
        return Reply(state="done")

    def _ensure(self, op: Ensure) -> Reply:
        starts = [each for each in op.starts if self._may_start(each)]
        if foreign := [each.id for each in starts if not self._ports.claim(each.id, each.port)]:
            detail = f"the port of {', '.join(foreign)} was given to another"
            return Reply(state="refused", code="port-not-reserved", detail=detail)
        for each in starts:
            self._state.replicas[each.id] = _intended(each)
        if starts:
            self._kept.save()  # the intent, before anything is started
        for each in starts:
            self._start(each)
        for stop in op.stops:
            self._stop(stop)
        self._route()
        drop_old(self._folder / "logs", self._live())
        return Reply(state="accepted")

    def _may_start(self, start: Start) -> bool:
        """An id is used once; only one that never got a process is started again."""
        known = self._state.replicas.get(start.id)
        return known is None or (known.phase == "exited" and known.identity is None and not known.code)

    def _start(self, start: Start) -> None:
        replica = self._state.replicas[start.id]
        env = {**self._urls(), **start.env, **self._marks(start), "PORT": str(start.port)}
        log = self._folder / "logs" / f"{start.id}.log"
        try:
            with carried(self._site, start.id):
                replica.identity = self._children.spawn(start.id, start.argv, Path(start.cwd), env, log)
            replica.phase = "running"
        except (OSError, ValueError) as error:
            gone(replica, f"it could not be started: {error}")
            self._ports.release(replica.id)
        self._say("replica-started", replica=start.id, pid=replica.identity and replica.identity.pid)
        self._hint(start.id)

    def _stop(self, stop: Stop) -> None:
        replica = self._state.replicas.get(stop.id)
        if replica is None or replica.phase == "exited":
            return
        now = time.monotonic()
        if replica.phase == "running":
            replica.phase, replica.draining_since, replica.drain_until = "draining", now, now + stop.drain_s
            self._say("replica-draining", replica=replica.id, at_most_s=stop.drain_s)
            self._go(self._endings.drain(replica))
            self._hint(replica.id)
        replica.drain_until = min(replica.drain_until, now + stop.drain_s)

    def _shift(self, op: Shift) -> Reply:
        self._state.shares[op.workload] = op.shares
        self._route()
        return Reply(state="done")

    def _forget(self, op: Forget) -> Reply:
        for each in op.ids:
            if each in self._state.replicas and self._state.replicas[each].phase == "exited":
                del self._state.replicas[each]
        return Reply(state="done")

    # --- dismantling

    def _begin_dismantling(self, op: Dismantle) -> Reply:
        if self._state.dismantle_s is None:
            self._state.dismantle_s = op.grace_s
            self._go(self._dismantle(op.grace_s))
        return Reply(state="accepted")

    async def _dismantle(self, grace_s: float) -> None:
        """End every replica and all that it left, then the gateway; drop every record but the fence."""
        live = [each for each in self._state.replicas.values() if each.phase != "exited"]
        await asyncio.gather(*(self._endings.end(each, grace_s) for each in live))
        left: dict[str, list[Identity]] = {}
        for each in marked(self._site):
            if "LAMP_REPLICA" in each.marks or each.lineage:
                left.setdefault(each.marks.get("LAMP_REPLICA", ""), []).append(each.identity)
        await asyncio.gather(*(self._endings.sweep(name, found) for name, found in left.items()))
        await self._gateway.stop()
        self._waiting.cancel()
        room.leave(self._folder / "gateway", self._folder / "logs")
        self._kept.drop()  # the socket with it: from here on there is nothing of this system
        self._say("dismantled", replicas=len(live))
        self.dismantled.set()

    # --- what happens by itself

    def _exited(self, key: str, ended: Ended) -> None:
        """Take a replica that ended out of the gateway at once, then see to what it left behind."""
        if key == GATEWAY:
            self._gateway.ended(ended)
            self._say("gateway-ended", code=ended.code, signal=ended.signal, because=self._gateway.fault)
            return
        replica = self._state.replicas[key]
        session = replica.identity.pid if replica.identity else 0
        replica.phase, replica.exited_at = "exited", time.monotonic()
        replica.code, replica.signal = ended.code, ended.signal
        if ended == Ended():
            replica.cause = UNTOLD
        self._route()
        self._hint(key)
        self._say("replica-exited", replica=key, code=ended.code, signal=ended.signal)
        left = family(self._site, key, session)
        self._children.release(key)
        self._ports.release(key)
        if left:
            self._go(self._endings.sweep(key, left))
        self._kept.save_soon()

    def _gateway_changed(self) -> None:
        self._state.gateway, self._state.gateway_since = self._gateway.identity, self._gateway.since
        self._kept.save_soon()
        self._hint(GATEWAY)

    def _gateway_lost(self) -> None:
        """Give the gateway a folder and all its files again."""
        self._kept.write("gateway-not-written", lambda: room.enter(self._folder / "gateway", self._site))
        self._activator.listen_anew()
        self._route()

    def _woken(self, service: str) -> None:
        """See to a service that is asked for at zero, or has come back from there."""
        if service in self._activator.awake:
            self._changed()
        self._hint(service)

    def _why_not_started(self, service: str) -> str:
        """Say why a service has nothing to serve with, for those who waited for it in vain."""
        if not self._watchers:
            return "no maintainer is running (lamp up)"
        replicas = [each for each in self._state.replicas.values() if each.workload == service]
        if not replicas:
            return "no replica of it was started (lamp status says why)"
        last = max(replicas, key=lambda each: each.started_at)
        ended = "has ended" if last.phase == "exited" else "is not ready"
        return f"{last.id}, started {time.monotonic() - last.started_at:.0f} s ago, {ended}"

    def _changed(self) -> None:
        self._route()
        self._kept.save_soon()

    def _look_at_logs(self) -> None:
        """Look while anything could write; and try again what could not be written."""
        for folder in ("logs", "gateway"):
            cut_large(self._folder / folder)
        if self._kept.faults and self._state.dismantle_s is None:
            self._route()
            self._kept.save()
        asyncio.get_running_loop().call_later(LOG_LOOK_S, self._look_at_logs)

    # --- means

    def _route(self) -> None:
        if self._state.table is None or self._state.dismantle_s is not None:
            return
        table = routed(self._state.table, self._state.replicas.values(), self._state.shares)
        table = self._activator.mark(table)
        self._state.awake = tuple(sorted(self._activator.awake))
        self._kept.write("gateway-not-written", lambda: self._gateway.show(table))

    def _hint(self, subject: str) -> None:
        for each in tuple(self._watchers):
            each(subject)

    def _go(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """The edge of a task: a mistake in one ending must not end the parent of everything."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - see above
            self._say("task-failed", error=repr(error))

    def _live(self) -> set[str]:
        live = {each.id for each in self._state.replicas.values() if each.phase != "exited"}
        return live | {GATEWAY, "supervisor"}

    def _marks(self, start: Start) -> dict[str, str]:
        return {
            "LAMP_SITE": self._site,
            "LAMP_SYSTEM": self._system,
            "LAMP_WORKLOAD": start.workload,
            "LAMP_REPLICA": start.id,
            "LAMP_RELEASE": start.release,
        }

    def _urls(self) -> dict[str, str]:
        """Where each service is called, on the gateway's internal port, which stays the same; and how."""
        table = self._state.table
        if table is None:
            return {}
        base = f"http://127.0.0.1:{table.internal_port}"
        urls = {f"LAMP_URL_{_variable(each.name)}": f"{base}/{each.name}" for each in table.backends}
        policies = ",".join(f'"{each.name}":{each.policy}' for each in table.backends if each.policy)
        return {**urls, "LAMP_RESILIENCE": f"{{{policies}}}"} if policies else urls


def site_mark(folder: Path) -> str:
    """Return what marks the processes of this state folder and of no other."""
    return hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _has_backend(table: Table, name: str) -> bool:
    return any(each.name == name for each in table.backends)


def _intended(start: Start) -> Replica:
    now = time.monotonic()
    return Replica(
        id=start.id, workload=start.workload, release=start.release, port=start.port, started_at=now
    )


def _seen(replica: Replica) -> SeenReplica:
    return SeenReplica(
        id=replica.id,
        workload=replica.workload,
        release=replica.release,
        phase=replica.phase,
        port=replica.port,
        started_at=replica.started_at,
        pid=replica.identity.pid if replica.identity else None,
        draining_since=replica.draining_since,
        exited_at=replica.exited_at,
        code=replica.code,
        signal=replica.signal,
        cause=replica.cause,
    )
