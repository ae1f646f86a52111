"""Sources: what one maintainer gets to hear of a world, which may be late, missing, stale or contradictory.

Three sources, each read by itself: processes (who there is), health (who passes its checks), traffic (what
is in flight). What they say may be wrong in small things; that a replica has ended is never said of one
that lives, as no real source may.
"""

from collections import deque
from typing import NamedTuple

from msgspec.structs import replace

from lamplighter.model.facts import (
    HEALTH,
    MACHINE,
    PROCESSES,
    TRAFFIC,
    Exit,
    Facts,
    Load,
    Machine,
    Phase,
    Replica,
    Source,
)
from lamplighter.model.value import Instant
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.silences import SOURCES
from lamplighter.targets.simulated.traffic import Census
from lamplighter.targets.simulated.world import World

FIRST_CHECK_S = 0.3
"""Until its first check, whether a replica is ready is not known."""
VIEWS_MAX = 8
MACHINE_MEMORY_BYTES = 64 << 30


class View(NamedTuple):
    """What all sources would have said at one instant, had they answered."""

    at: Instant
    replicas: tuple[Replica, ...]
    ready: dict[str, bool | None]
    in_flight: dict[str, int | None]
    loads: dict[str, Load]
    shares: dict[str, dict[str, float]]
    configured: str


class Sources:
    """What one maintainer hears, and has heard."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._views: deque[View] = deque(maxlen=VIEWS_MAX)
        self._heard: dict[str, View] = {}

    def hear(self, at: Instant, wall: str) -> Facts:
        """Return a snapshot, stamped `at`; each source as it stands, or as it last stood."""
        self._views.append(self._look())
        faults: dict[str, str] = {}
        for each in SOURCES:
            manner = self._world.silences.manners.get(each)
            if manner is None:
                self._heard[each] = self._view(each)
            elif manner == "fault":
                faults[each] = "connection refused"
        return Facts(
            at=at,
            wall=wall,
            sources=self._sources(at, faults),
            replicas=self._replicas(faults),
            loads={} if TRAFFIC in faults or TRAFFIC not in self._heard else self._heard[TRAFFIC].loads,
            shares=self._heard[PROCESSES].shares if PROCESSES in self._heard else {},
            machine=Machine(cores=16.0, memory_bytes=MACHINE_MEMORY_BYTES),
            configured=self._heard[PROCESSES].configured if PROCESSES in self._heard else "",
        )

    def _sources(self, at: Instant, faults: dict[str, str]) -> dict[str, Source]:
        dated = {each: self._heard[each].at if each in self._heard else at for each in SOURCES}
        known = {
            name: Source(observed_at=dated[name], fault=faults.get(name, ""))
            for name in SOURCES
            if name in self._heard or name in faults
        }
        return {**known, MACHINE: Source(observed_at=at)}

    def _view(self, source: str) -> View:
        """Return what a source that answers says: what is so, or what was so a little while ago."""
        chance, faults = self._world.chance, self._world.faults.sources
        now = self._views[-1]
        if chance.happens(f"late/{source}", faults.late_p):
            return next(each for each in self._views if each.at >= now.at - faults.late_s)
        return now

    def _replicas(self, faults: dict[str, str]) -> tuple[Replica, ...]:
        processes = self._heard.get(PROCESSES)
        if processes is None:
            return ()
        health = None if HEALTH in faults else self._heard.get(HEALTH)
        traffic = None if TRAFFIC in faults else self._heard.get(TRAFFIC)
        return tuple(_told(each, health, traffic, silent=PROCESSES in faults) for each in processes.replicas)

    def _look(self) -> View:
        world, census = self._world, self._world.traffic.census()
        listed = [each for each in world.bodies.values() if each.recorded]
        workloads = world.system.services if world.system else {}
        return View(
            at=world.now,
            replicas=tuple(self._process(each) for each in listed),
            ready={each.id: self._ready(each) for each in listed},
            in_flight={each.id: self._in_flight(each, census) for each in listed},
            loads={name: self._load(name, census) for name in workloads if not self._missing("load")},
            shares={name: dict(each) for name, each in world.shares.items()},
            configured=world.configured,
        )

    def _process(self, body: Body) -> Replica:
        ended = body.stage == "ended"
        return Replica(
            id=body.id,
            workload=body.workload,
            release=body.release,
            phase=_phase(body),
            started_at=body.started_at,
            draining_since=body.draining_since,
            exit=Exit(at=body.ended_at, signal=body.signal) if body.ended_at is not None else None,
            memory_bytes=None if ended else body.memory_bytes(self._world.now),
        )

    def _ready(self, body: Body) -> bool | None:
        chance, faults = self._world.chance, self._world.faults.sources
        if body.stage == "ended":
            return chance.happens("contradiction/health", faults.contradiction_p)
        if self._missing("ready") or self._world.now - body.started_at < FIRST_CHECK_S:
            return None
        return body.passing and not chance.happens("blip", faults.blip_p)

    def _in_flight(self, body: Body, census: Census) -> int | None:
        if self._missing("in-flight"):
            return None
        return self._world.traffic.in_flight(body, self._world.now, census)

    def _load(self, workload: str, census: Census) -> Load:
        load = self._world.traffic.load(workload, self._world.now, census)
        chance, wrong_p = self._world.chance, self._world.faults.sources.contradiction_p
        if not load.in_flight or not chance.happens("contradiction/load", wrong_p):
            return load
        return replace(load, in_flight=round(load.in_flight * chance.between("contradiction/load", 0.0, 2.0)))

    def _missing(self, what: str) -> bool:
        return self._world.chance.happens(f"missing/{what}", self._world.faults.sources.missing_p)


def _phase(body: Body) -> Phase:
    match body.stage:
        case "booting":
            return Phase.STARTING
        case "up":
            return Phase.RUNNING
        case "draining" | "ending":
            return Phase.DRAINING
        case "ended":
            return Phase.EXITED


def _told(replica: Replica, health: View | None, traffic: View | None, *, silent: bool) -> Replica:
    """Put together what each source says of one replica; what is not known is None."""
    phase, memory_bytes = replica.phase, replica.memory_bytes
    if silent and phase is not Phase.EXITED:
        phase, memory_bytes = Phase.UNKNOWN, None
    return replace(
        replica,
        phase=phase,
        ready=health.ready.get(replica.id) if health else None,
        in_flight=traffic.in_flight.get(replica.id) if traffic else None,
        memory_bytes=memory_bytes,
    )
