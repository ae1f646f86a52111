"""Repair: replace replicas that are proven dead, have stopped answering or use too much memory.

Knows health, processes and memory only; nothing of load, rollouts or cost. It owns no number: it
brings what lives back to what is settled, always from the broken replica's own release.

The bound is counted per *place*, not per service: a replacement inherits the failures of the one
before it, and only failures that a restart does not help against count: an end before the replica was
ready or within `SHORT_LIFE_S` of it, or being replaced alive. So a crash loop is bounded after
`attempts` starts, while an outside hand that kills healthy replicas now and then never uses a
place's budget up: each of its victims had served.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lamplighter.controllers import contracts
from lamplighter.controllers.kinds import finding
from lamplighter.controllers.needs import lacking
from lamplighter.controllers.numbers import active
from lamplighter.controllers.survey import Survey
from lamplighter.model.actions import Broken, Scale
from lamplighter.model.decisions import Priority, Proposal, Verdict
from lamplighter.model.facts import FACT_AGE_MAX_S, HEALTH, MACHINE, PROCESSES, Replica
from lamplighter.model.findings import Evidence, Finding
from lamplighter.model.history import History, WorkloadHistory
from lamplighter.model.system import Repair, Service, System
from lamplighter.model.value import Instant

SHORT_LIFE_S = 3.0
"""A replica that ends sooner than this after it was first ready counts as one that never worked."""
MEMORY_GRACE_S = 3.0
"""For so long a replica may exceed its memory: one reading in the middle of a collection is no leak."""
MISSING_GRACE_S = FACT_AGE_MAX_S
"""For so long replicas must be missing without a proven death: facts may arrive late."""
BACKOFF_S_MAX = 60.0


class Place(NamedTuple):
    """One workload's release and all that is needed to judge its replicas."""

    service: Service
    memory: WorkloadHistory
    survey: Survey
    release: str
    wanted: int


class Sick(NamedTuple):
    """A live replica that is known not to serve as it should."""

    replica: Replica
    kind: str
    since: Instant
    message: str
    source: str


def repair(system: System, survey: Survey, history: History) -> Verdict:
    """Propose a replacement for each broken replica of each service.

    1. Processes are silent: nothing is known to be dead; a finding says since when.
    2. A replica proven dead, whose place is still wanted, is replaced: at once the first time, backed
       off from its predecessor's start when that did not last either.
    3. Replicas missing without a trace for `MISSING_GRACE_S`, each of them, are started anew, by one Scale;
       not of a workload that has yet to wait for what it needs.
    4. One that was ready and fails its checks for `unhealthy_after_s`: drained and replaced while
       another one serves; if none does, a successor is started first, and it ends once that serves; a
       successor that does not answer either is replaced where it stands.
    5. One that is not ready `start_timeout_s` after its start is replaced: it never served, as far as is
       known; so it has been seen to fail for `unhealthy_after_s`, too.
    6. One above its memory for `MEMORY_GRACE_S`: a successor first, then it is drained, but not while
       it is one of the last `min` that get traffic, or while it is not known whether it serves. While
       more live than are settled no successor is started for anybody: what is too many goes first. Where
       there may be room, but for who has only just dropped out of the list, that is waited for.
    7. Its state is unknown: left alone; the finding names the silent source.
    8. `attempts` failures in one place within `window_s`: handed to a person with the evidence.
    9. A release that is neither stable nor rolled out, and gets no traffic, or would by a gateway without
       shares, and serves none: none of it is replaced, since all of it is to go.
    """
    if silence := survey.silence(PROCESSES):
        message = f"{PROCESSES} silent since {silence.since:g}: {silence.why}"
        return Verdict(findings=(finding("telemetry-silent", PROCESSES, message, _lacking(PROCESSES)),))
    findings: list[Finding] = list(_silences(survey))
    proposals: list[Proposal] = []
    for name, service in survey.among(system.services):
        memory = history.workloads.get(name)
        if memory is None:
            continue
        findings.extend(_frequent(service, memory, survey.now))
        if memory.wanted and lacking(system, survey, service, history):
            continue
        for release, wanted in sorted(memory.wanted.items()):
            if _leaves(memory, survey, name, release):
                continue
            for each in _repairs(Place(service, memory, survey, release, wanted)):
                (proposals if isinstance(each, Proposal) else findings).append(each)  # type: ignore[arg-type]
    return Verdict(findings=tuple(findings), proposals=tuple(proposals))


def _leaves(memory: WorkloadHistory, survey: Survey, workload: str, release: str) -> bool:
    """Return whether a release is on its way out: another has taken its place, and its traffic."""
    rollout = active(memory)
    staying = {memory.stable, rollout.candidate if rollout else ""} - {""}
    if not staying or release in staying or survey.given(workload).get(release):
        return False
    if not contracts.takes_traffic(survey, workload, release):
        return True
    dark = all(each.ready is False for each in survey.staying(workload, release))
    return dark and not survey.facts.shares.get(workload)


def _repairs(place: Place) -> Iterator[Proposal | Finding]:
    name, memory, survey = place.service.name, place.memory, place.survey
    spares = successors(memory, survey, name, place.release)
    missing = place.wanted - survey.count(name, place.release) + len(spares)
    dead = unreplaced(memory, survey, name, place.release)[: max(0, missing)]
    for replica in dead:
        yield from _replaced(place, replica)
    if missing > len(dead):
        yield from _restored(place, missing - len(dead))
    for broken, successor in spares.items():
        yield from _released(place, survey.replicas[broken], successor)
    yield from _cured(place, spares)


# --- proven dead, or missing


def unreplaced(memory: WorkloadHistory, survey: Survey, workload: str, release: str) -> list[Replica]:
    """Return the ended replicas that nobody has replaced or told to end, the newest death first."""
    leaving = survey.motion.leaving
    exited = [
        each
        for each in survey.standing(workload, release).exited
        if each.id not in memory.replaced and each.id not in leaving and each.draining_since is None
    ]
    return sorted(exited, key=lambda each: (-memory.ended.get(each.id, 0.0), each.id))


def vanished(memory: WorkloadHistory, survey: Survey, workload: str, release: str) -> int:
    """Return how many replicas of a release are missing with no proven death to show for it."""
    spares = successors(memory, survey, workload, release)
    missing = memory.wanted.get(release, 0) - survey.count(workload, release) + len(spares)
    return max(0, missing - len(unreplaced(memory, survey, workload, release)))


def _replaced(place: Place, replica: Replica) -> Iterator[Proposal | Finding]:
    yield finding("replica-dead", replica.id, f"{replica.id} {_how(replica)}", _seen(PROCESSES))
    tries = place.memory.attempts.get(replica.id, ())
    if blocked := _blocked(place, replica.id, tries, replica.started_at):
        yield blocked
        return
    why = _why(f"{replica.id} {_how(replica)}")
    yield contracts.substitute(replica, 0.0, why, _timing(place.service), (Broken(replica=replica.id),))


def _restored(place: Place, missing: int) -> Iterator[Proposal | Finding]:
    name, memory, now = place.service.name, place.memory, place.survey.now
    since = memory.missing_since.get(place.release)
    missing -= len(memory.unlisted)
    if since is None or now - since < MISSING_GRACE_S or missing <= 0:
        return
    yield finding("replica-missing", name, f"{missing} of {place.release} missing since {since:g}")
    last = memory.restores[-1] if memory.restores else now
    if blocked := _blocked(place, name, memory.restores, last):
        yield blocked
        return
    count = (place.wanted, place.wanted - missing, place.wanted)
    why = _why(f"{missing} of {place.release} are missing, and nothing shows what became of them")
    yield contracts.grow(name, place.release, count, why, _timing(place.service))


# --- alive, but not as it should be


def successors(
    memory: WorkloadHistory, survey: Survey, workload: str, release: str
) -> dict[str, Replica | None]:
    """Return the live replicas for which a successor was started first, with it (None: not seen yet).

    One that has only just dropped out of the list is not gone: it takes the place that it was given.
    """
    if not memory.replaced:
        return {}
    pairs: dict[str, Replica | None] = {}
    coming = survey.coming(workload, release)
    for each in sorted(memory.replaced):
        replica = survey.replicas.get(each)
        if replica is None or not replica.live or replica.release != release or replica.workload != workload:
            continue
        successor = _last_of(memory.replaced, each)
        known = survey.replicas.get(successor)
        there = known.live if known else successor in coming or successor in memory.unlisted
        if each not in survey.motion.leaving and there:
            pairs[each] = known
    return pairs


def _last_of(replaced: dict[str, str], replica: str) -> str:
    """Follow who took whose place to the end; a name met twice is the end, whatever led to it."""
    met = {replica}
    while replica in replaced and replaced[replica] not in met:
        replica = replaced[replica]
        met.add(replica)
    return replica


def _released(place: Place, replica: Replica, successor: Replica | None) -> Iterator[Proposal]:
    survey, name = place.survey, place.service.name
    if successor is None or successor.ready is not True or replica.id in survey.motion.subjects:
        return
    if replica.ready is None or (replica.ready and _carrying(survey, name) <= place.service.replicas.min):
        return
    why = _why(f"{successor.id} serves in the place of {replica.id}")
    scale = Scale(
        workload=replica.workload,
        release=replica.release,
        replicas=place.wanted,
        stops=(replica.id,),
        drain_s=place.service.drain_s,
    )
    yield contracts.release_spare(survey, scale, successor.id, why)


def _carrying(survey: Survey, workload: str) -> int:
    """Return how many pass their checks of the releases that get traffic, once what is under way is done."""
    given = survey.given(workload)
    taking = (
        each
        for each in survey.releases(workload)
        if (given.get(each) if given else contracts.takes_traffic(survey, workload, each))
    )
    return sum(survey.ready(workload, each) for each in taking)


def _cured(place: Place, spares: dict[str, Replica | None]) -> Iterator[Proposal | Finding]:
    name, survey, memory = place.service.name, place.survey, place.memory
    others = survey.ready(name)
    spare_room = place.service.replicas.max + place.service.rollout.surge - survey.live(name)
    spare_room -= sum(len(survey.coming(name, each)) for each in survey.releases(name))
    spare_room -= len(memory.unlisted)
    for sick in _sick(place):
        replica = sick.replica
        yield finding(sick.kind, replica.id, sick.message, _seen(sick.source))
        if replica.id in spares or replica.id in survey.motion.subjects:
            continue
        if blocked := _blocked(place, replica.id, memory.attempts.get(replica.id, ()), replica.started_at):
            yield blocked
            continue
        serves = sick.kind == "replica-over-memory" or (sick.kind == "replica-unresponsive" and others == 0)
        lives = survey.count(name, place.release) + survey.lingering(name, place.release)
        lives += len(memory.unlisted)
        surplus = lives - len(spares) > place.wanted
        if surplus and sick.kind == "replica-over-memory":
            continue
        if serves and -len(memory.unlisted) < spare_room <= 0:
            continue
        if serves and spare_room > 0 and not spares and not surplus:
            yield contracts.spare(replica, place.wanted, _why(sick.message), _timing(place.service))
            return
        stuck = sick.kind == "replica-unresponsive" and any(
            each is not None and each.id == replica.id for each in spares.values()
        )
        if serves and spares and not stuck:
            continue
        needs = () if sick.kind == "replica-over-memory" else (Broken(replica=replica.id),)
        blast = 1 / max(1, survey.carrying(name))
        yield contracts.substitute(replica, blast, _why(sick.message), _timing(place.service), needs)


def _sick(place: Place) -> Iterator[Sick]:
    service, memory, now = place.service, place.memory, place.survey.now
    limit = service.resources.memory_bytes
    if not (memory.not_ready_since or memory.over_memory_since):
        return
    for each in place.survey.staying(service.name, place.release):
        since = memory.not_ready_since.get(each.id)
        over = memory.over_memory_since.get(each.id)
        if since is not None and each.id in memory.first_ready:
            if failing(memory, service, each, now):
                message = f"{each.id} has failed its checks for {now - since:.1f} s"
                yield Sick(each, "replica-unresponsive", since, message, HEALTH)
        elif since is not None and now - each.started_at >= service.health.start_timeout_s:
            if failing(memory, service, each, now):
                message = f"{each.id} is not ready {now - each.started_at:.0f} s after its start"
                yield Sick(each, "replica-not-ready", since, message, HEALTH)
        elif over is not None and now - over >= MEMORY_GRACE_S:
            message = f"{each.id} uses {each.memory_bytes} bytes of its {limit}"
            yield Sick(each, "replica-over-memory", over, message, MACHINE)


def failing(memory: WorkloadHistory, service: Service, replica: Replica, now: Instant) -> bool:
    """Return whether a replica has been seen to fail its checks for as long as its spec bears.

    One that came up while nobody could look may have served all the while, however long ago it started.
    """
    since = memory.not_ready_since.get(replica.id)
    return replica.ready is False and since is not None and now - since >= service.health.unhealthy_after_s


# --- bounds and evidence


def next_try(policy: Repair, tries: tuple[Instant, ...], last_start: Instant, now: Instant) -> Instant:
    """Return when the next repair in a place may start: doubling from `backoff_s`, from the last start."""
    recent = len(_recent(policy, tries, now))
    return last_start + min(BACKOFF_S_MAX, policy.backoff_s * 2 ** (recent - 1)) if recent else now


def exhausted(policy: Repair, tries: tuple[Instant, ...], now: Instant) -> bool:
    """Return whether a place has used its attempts up."""
    return len(_recent(policy, tries, now)) >= policy.attempts


def _recent(policy: Repair, tries: tuple[Instant, ...], now: Instant) -> tuple[Instant, ...]:
    return tuple(each for each in tries if now - each < policy.window_s)


def _blocked(place: Place, subject: str, tries: tuple[Instant, ...], last_start: Instant) -> Finding | None:
    policy, now = place.service.repair, place.survey.now
    if exhausted(policy, tries, now):
        times = ", ".join(f"{each:g}" for each in _recent(policy, tries, now))
        message = f"{subject}: {policy.attempts} repairs within {policy.window_s:g} s did not last"
        return finding("needs-a-person", subject, message, Evidence(looked_at=(f"failures at {times}",)))
    wait = next_try(policy, tries, last_start, now) - now
    if wait > 0:
        return finding("repair-waits", subject, f"{subject}: next repair in {wait:.1f} s")
    return None


def _frequent(service: Service, memory: WorkloadHistory, now: Instant) -> Iterator[Finding]:
    recent = len(_recent(service.repair, memory.repairs, now))
    if recent > service.repair.attempts * max(1, memory.capacity):
        message = f"{service.name}: {recent} repairs within {service.repair.window_s:g} s"
        yield finding("repairs-frequent", service.name, message)


def _silences(survey: Survey) -> Iterator[Finding]:
    if silence := survey.silence(HEALTH):
        message = f"{HEALTH} silent since {silence.since:g}: {silence.why}; no replica is judged by it"
        yield finding("telemetry-silent", HEALTH, message, _lacking(HEALTH))
    unknown = sum(each.phase == "unknown" for each in survey.known())
    if unknown:
        message = f"{unknown} replicas are not known to live or to have ended; they are left alone"
        yield finding("telemetry-silent", "replicas", message, _lacking(PROCESSES))


def _how(replica: Replica) -> str:
    end = replica.exit
    if end is None:
        return "has ended"
    if end.signal is not None:
        return f"was ended by signal {end.signal}"
    return f"ended with code {end.code}" if end.code is not None else "has ended"


def _seen(source: str) -> Evidence:
    return Evidence(looked_at=(source,))


def _lacking(source: str) -> Evidence:
    return Evidence(unavailable=(source,))


def _why(because: str) -> contracts.Why:
    return contracts.Why(controller="repair", priority=Priority.REPAIR, because=because)


def _timing(service: Service) -> contracts.Timing:
    return contracts.Timing(start_s=service.health.start_timeout_s, drain_s=service.drain_s)
