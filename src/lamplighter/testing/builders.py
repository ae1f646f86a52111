"""Builders: systems, facts and histories in a line, for tests that read as sentences.

    facts(search=[up, crashed, unknown(since=3)])

Replicas are named `search-1`, `search-2` and so on, in the order given, all of release `r1`.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from lamplighter.controllers.survey import Survey, trusted
from lamplighter.model.facts import SOURCES, Exit, Facts, Load, Phase, Replica, Source
from lamplighter.model.history import History, WorkloadHistory
from lamplighter.model.system import Range, Run, Scale, Service, System
from lamplighter.model.value import Instant, Value, digest

RELEASE = "r1"
NOW: Instant = 60.0


class Shape(Value):
    """How a replica stands, whatever its name. Instants are on the time line of the facts."""

    phase: Phase = Phase.RUNNING
    ready: bool | None = True
    in_flight: int | None = 0
    started_at: Instant = 0.0
    exit: Exit | None = None
    draining_since: Instant | None = None
    release: str = RELEASE
    detail: str = ""


up = Shape()
"""Serves."""
starting = Shape(phase=Phase.STARTING, ready=False, started_at=NOW - 1)
"""Was started a second ago, and does not serve yet."""
hung = Shape(ready=False)
"""Its process lives, its checks fail."""
crashed = Shape(phase=Phase.EXITED, ready=False, exit=Exit(at=NOW - 1, signal=11))
"""Proven to have ended, without having been told to."""
draining = Shape(phase=Phase.DRAINING, in_flight=3, draining_since=NOW - 1)
"""Out of the balancer, with requests in flight."""


def unknown(since: Instant) -> Shape:
    """Return a replica of which nothing has been heard since then."""
    return Shape(phase=Phase.UNKNOWN, ready=None, in_flight=None, detail=f"silent since {since:g}")


def of(release: str, shape: Shape = up) -> Shape:
    """Return a shape of another release."""
    return replace(shape, release=release)


def service(name: str, replicas: int | tuple[int, int] = 1, **fields: object) -> Service:
    """Return a service. With a range it scales on requests in flight; `fields` are those of `Service`."""
    low, high = replicas if isinstance(replicas, tuple) else (replicas, replicas)
    made = Service(
        name=name,
        run=Run(kind="command", value=f"serve {name}"),
        replicas=Range(min=low, max=high),
        scale=Scale() if low < high else None,
    )
    return replace(made, **fields)


def system(**workloads: int | tuple[int, int] | Service) -> System:
    """Return a system: `system(search=2, model=(1, 4))`."""
    services = {
        name: each if isinstance(each, Service) else service(name, each) for name, each in workloads.items()
    }
    return System(name="sim", services=services)


def facts(
    *,
    at: Instant = NOW,
    wanted: System | None = None,
    silent: Mapping[str, Instant] | None = None,
    **workloads: Sequence[Shape],
) -> Facts:
    """Return a snapshot in which every source has just answered.

    Args:
        at: its instant.
        wanted: the system that the target was configured with.
        silent: sources that have not answered since an instant.
        workloads: how each workload's replicas stand.
    """
    replicas = tuple(
        _replica(f"{name}-{number}", name, shape)
        for name, shapes in workloads.items()
        for number, shape in enumerate(shapes, start=1)
    )
    sources = {each: Source(observed_at=at) for each in SOURCES}
    for name, since in (silent or {}).items():
        sources[name] = Source(observed_at=since, fault="connection refused")
    return Facts(
        at=at,
        sources=sources,
        replicas=replicas,
        loads={
            name: Load(in_flight=sum(each.in_flight or 0 for each in workloads[name])) for name in workloads
        },
        shares={name: {RELEASE: 1.0} for name in workloads},
        configured=digest(wanted) if wanted is not None else "",
    )


def survey(seen: Facts) -> Survey:
    """Return facts as controllers read them: what silent sources said is taken out."""
    return Survey(trusted(seen, seen.at), seen.at)


def settled(wanted: System, **numbers: int) -> History:
    """Return the history of a system that has come to rest on release `r1`.

    Args:
        wanted: the system in force.
        numbers: how many replicas of each workload are settled; by default its `min`.
    """
    workloads = {
        name: _settled(numbers.get(name, each.replicas.min)) for name, each in wanted.services.items()
    }
    return History(system=wanted, workloads=workloads)


def _settled(number: int) -> WorkloadHistory:
    return WorkloadHistory(stable=RELEASE, capacity=number, wanted={RELEASE: number}, ordinal=number + 1)


def _load(shapes: Sequence[Shape]) -> Load:
    return Load(in_flight=sum(each.in_flight or 0 for each in shapes))


def _replica(name: str, workload: str, shape: Shape) -> Replica:
    return Replica(
        id=name,
        workload=workload,
        release=shape.release,
        phase=shape.phase,
        started_at=shape.started_at,
        ready=shape.ready,
        in_flight=shape.in_flight,
        draining_since=shape.draining_since,
        exit=shape.exit,
        detail=shape.detail,
    )
