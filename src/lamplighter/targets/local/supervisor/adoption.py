"""What a supervisor finds when it starts: children of an earlier one, on record or not.

Nothing here starts or ends a process. With no record at all the replicas are found again by the marks
in their environment; what such a search cannot tell (shares, routes) has to be set again.
"""

import time
from typing import NamedTuple

from lamplighter.targets.local.supervisor.children import Children
from lamplighter.targets.local.supervisor.lineage import lineage
from lamplighter.targets.local.supervisor.ports import Ports
from lamplighter.targets.local.supervisor.processes import Identity, Marked, boot_id, marked, started_at
from lamplighter.targets.local.supervisor.state import Replica, State


class Found(NamedTuple):
    """`left`: processes of replicas that are gone. `gateway`: gateways, the one on record first."""

    left: dict[str, list[Identity]]
    gateways: list[Identity]


def take_up(state: State, site: str, children: Children, ports: Ports) -> Found:
    """Bring the records in line with what lives, and watch what lives.

    1. A recorded process that still is exactly itself is adopted.
    2. A replica that was intended and never recorded as started is adopted if a process carries its marks.
    3. Any other recorded replica is gone: nobody knows how it ended.
    4. A process that carries marks of no recorded replica gets a record from its marks.
    5. What is left carries marks of replicas that are gone, and is returned; so is what has emptied its
       environment and is known by its lineage alone.
    """
    alive = marked(site)
    if state.boot != boot_id():
        _restarted(state)
    for replica in [each for each in state.replicas.values() if each.phase != "exited"]:
        _settle(replica, alive, children)
    for each in alive:
        if each.leads and _is_replica(each) and each.marks["LAMP_REPLICA"] not in state.replicas:
            _record(each, state, children)
    for replica in state.replicas.values():
        if replica.phase != "exited":
            ports.claim(replica.id, replica.port)
    return Found(left=_left(alive, state, site), gateways=_gateways(alive, state))


def gone(replica: Replica, cause: str) -> None:
    """Record that a replica has ended now, in a way that nobody saw."""
    replica.phase = "exited"
    replica.exited_at = time.monotonic()
    replica.cause = cause


def _restarted(state: State) -> None:
    """After a restart of the machine no process and no reading of its clock means anything."""
    for replica in state.replicas.values():
        replica.started_at, replica.draining_since = time.monotonic(), None
        if replica.phase != "exited":
            gone(replica, "the machine was restarted")
        replica.exited_at = time.monotonic()
    state.boot, state.gateway, state.gateway_since = boot_id(), None, 0.0


def _settle(replica: Replica, alive: list[Marked], children: Children) -> None:
    if replica.identity is not None:
        if not children.adopt(replica.id, replica.identity):
            gone(replica, "it ended while no supervisor watched")
        return
    mine = [each for each in alive if each.leads and each.marks.get("LAMP_REPLICA") == replica.id]
    for each in mine[:1]:
        if children.adopt(replica.id, each.identity):
            replica.identity, replica.phase = each.identity, "running"
            return
    gone(replica, "the supervisor ended before it was started")


def _record(process: Marked, state: State, children: Children) -> None:
    marks = process.marks
    if children.adopt(marks["LAMP_REPLICA"], process.identity):
        state.replicas[marks["LAMP_REPLICA"]] = Replica(
            id=marks["LAMP_REPLICA"],
            workload=marks["LAMP_WORKLOAD"],
            release=marks["LAMP_RELEASE"],
            port=int(marks["PORT"]),
            started_at=started_at(process.started),
            phase="running",
            identity=process.identity,
        )


def _is_replica(process: Marked) -> bool:
    needed = ("LAMP_REPLICA", "LAMP_WORKLOAD", "LAMP_RELEASE", "PORT")
    return all(process.marks.get(name) for name in needed) and process.marks["PORT"].isdigit()


def _left(alive: list[Marked], state: State, site: str) -> dict[str, list[Identity]]:
    live = {each.id: lineage(site, each.id) for each in state.replicas.values() if each.phase != "exited"}
    left: dict[str, list[Identity]] = {}
    for each in alive:
        replica = each.marks.get("LAMP_REPLICA", "")
        if (replica and replica not in live) or (each.lineage and each.lineage not in live.values()):
            left.setdefault(replica, []).append(each.identity)
    return left


def _gateways(alive: list[Marked], state: State) -> list[Identity]:
    found = [each.identity for each in alive if "LAMP_GATEWAY" in each.marks]
    return sorted(found, key=lambda each: each != state.gateway)
