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
from lamplighter.targets.simulated.bodies import Body, Stage
from lamplighter.targets.simulated.silences import SOURCES
from lamplighter.targets.simulated.world import World

FIRST_CHECK_S = 0.3
"""Until its first check, whether a replica is ready is not known."""
VIEWS_MAX = 16
_PHASES: dict[Stage, Phase] = {
    "booting": Phase.STARTING,
    "up": Phase.RUNNING,
    "draining": Phase.DRAINING,
    "ending": Phase.DRAINING,
    "ended": Phase.EXITED,
}
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


class Odds(NamedTuple):
    """How likely small things go wrong in one look: a value is missing, a check fails, sources disagree."""

    missing_p: float
    blip_p: float
    contradiction_p: float


class Sources:
    """What one maintainer hears, and has heard."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._views: deque[View] = deque(maxlen=VIEWS_MAX)
        self._heard: dict[str, View] = {}
        self._odds = Odds(0.0, 0.0, 0.0)
        self._slandered: set[str] = set()

    def hear(self, at: Instant, wall: str) -> Facts:
        """Return a snapshot, stamped `at`; each source as it stands, or as it last stood."""
        self._views.append(self._look())
        faults: dict[str, str] = {}
        away = self._away()
        for each in SOURCES:
            manner = "fault" if each in away else self._world.silences.manners.get(each)
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

    def _away(self) -> tuple[str, ...]:
        """Return the sources that cannot answer since who tells of them is not there."""
        spell = self._world.befalling.size
        if spell("reboot") is not None:
            return SOURCES
        return (PROCESSES,) if spell("supervisor-restart") is not None else ()

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
        late_s = self._world.befalling.size("late", source)
        if late_s is not None:
            return next(each for each in self._views if each.at >= now.at - late_s)
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
        world, spell, faults = self._world, self._world.befalling.size, self._world.faults.sources
        self._odds = Odds(
            max(faults.missing_p, spell("gaps") or 0.0),
            max(faults.blip_p, spell("blips") or 0.0),
            max(faults.contradiction_p, spell("contradictions") or 0.0),
        )
        listed = self._shortened([each for each in world.bodies.values() if each.recorded])
        workloads = world.system.services if world.system else {}
        stuck = world.traffic.stuck()
        return View(
            at=world.now,
            replicas=tuple([self._process(each) for each in listed]),
            ready={each.id: self._ready(each) for each in listed},
            in_flight=self._in_flight(listed),
            loads={name: self._load(name, stuck[name]) for name in workloads if not self._missing("load")},
            shares={name: dict(each) for name, each in world.shares.items()},
            configured=world.configured,
        )

    def _shortened(self, listed: list[Body]) -> list[Body]:
        """Leave out what is left out of the list, and note of whom health tells lies."""
        self._slandered = set()
        if not self._world.befalling.lasts("health-lies", "list-short"):
            return listed
        spell = self._world.befalling.size
        hidden: set[str] = set()
        for each in sorted({body.workload for body in listed}):
            up = sorted(body.id for body in listed if body.workload == each and body.serving)
            if up and spell("health-lies", each) is not None:
                self._slandered.add(up[0])
            if up and spell("list-short", each) is not None:
                hidden.add(up[-1])
        return [each for each in listed if each.id not in hidden] if hidden else listed

    def _process(self, body: Body) -> Replica:
        phase = _PHASES[body.stage]
        if body.told is not None and body.told.phase is phase and body.leaking_since is None:
            return body.told
        ended = phase is Phase.EXITED
        body.told = Replica(
            id=body.id,
            workload=body.workload,
            release=body.release,
            phase=phase,
            started_at=body.started_at,
            draining_since=body.draining_since,
            exit=Exit(at=body.ended_at, signal=body.signal) if body.ended_at is not None else None,
            memory_bytes=None if ended else body.memory_bytes(self._world.now),
        )
        return body.told

    def _ready(self, body: Body) -> bool | None:
        chance, odds = self._world.chance, self._odds
        if body.stage == "ended":
            return chance.happens("contradiction/health", odds.contradiction_p)
        if self._missing("ready") or self._world.now - body.started_at < FIRST_CHECK_S:
            return None
        if not body.passing or body.id in self._slandered:
            return False
        return not (odds.blip_p > 0 and chance.happens("blip", odds.blip_p))

    def _in_flight(self, listed: list[Body]) -> dict[str, int | None]:
        """Draw what each has in flight; of whom nothing is told, nothing is drawn."""
        missing = {each.id for each in listed if self._missing("in-flight")}
        told = [each for each in listed if each.id not in missing] if missing else listed
        drawn = self._world.traffic.flights(told, self._world.now)
        known = dict(zip([each.id for each in told], drawn, strict=True))
        return {each.id: known.get(each.id) for each in listed} if missing else {**known}

    def _load(self, workload: str, stuck: int) -> Load:
        load = self._world.traffic.load(workload, self._world.now, stuck)
        chance, wrong_p = self._world.chance, self._odds.contradiction_p
        times = self._world.befalling.size("load-lies", workload)
        if times is not None:
            load = replace(
                load,
                in_flight=None if load.in_flight is None else round(load.in_flight * times),
                rate_per_s=None if load.rate_per_s is None else load.rate_per_s * times,
                cpu=None if load.cpu is None else load.cpu * times,
            )
        if not load.in_flight or not chance.happens("contradiction/load", wrong_p):
            return load
        return replace(load, in_flight=round(load.in_flight * chance.between("contradiction/load", 0.0, 2.0)))

    def _missing(self, what: str) -> bool:
        missing_p = self._odds.missing_p
        return missing_p > 0 and self._world.chance.happens(f"missing/{what}", missing_p)


def _told(replica: Replica, health: View | None, traffic: View | None, *, silent: bool) -> Replica:
    """Put together what each source says of one replica; what is not known is None."""
    ready = health.ready.get(replica.id) if health else None
    in_flight = traffic.in_flight.get(replica.id) if traffic else None
    if silent and replica.phase is not Phase.EXITED:
        return replace(replica, phase=Phase.UNKNOWN, ready=ready, in_flight=in_flight, memory_bytes=None)
    return replace(replica, ready=ready, in_flight=in_flight)
