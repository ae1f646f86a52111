"""The witness: what checkers may go by besides the world itself: what people ordered, what was recorded.

It hears of each pass when that is recorded, and of each order when that is answered. It looks at no
opinion of the engine: neither at what it remembers nor at why it wants something.
"""

from bisect import bisect_right

from lamplighter.model.decisions import Decision
from lamplighter.model.facts import FACT_AGE_MAX_S, PROCESSES, Facts, Phase
from lamplighter.model.history import History
from lamplighter.model.intents import Approve, Down, Intent, Rollback, Up
from lamplighter.model.passes import Inputs, Result
from lamplighter.model.system import Guards, Service, System
from lamplighter.model.value import Instant
from lamplighter.targets.simulated import World
from lamplighter.targets.simulated.journal import Ended, Event, Passing, Refused
from lamplighter.testing.stores import Disk

Ordered = tuple[Instant, str]
"""When, and which release (empty: an earlier one, whichever that is)."""


Basis = tuple[frozenset[tuple[str, str]], tuple[tuple[str, float], ...]]
"""The replicas of a workload, each with how it stands, and the shares of its releases."""


def basis(facts: Facts, decision: Decision) -> Basis:
    """Return what a decision on a workload rests on, as the facts of its pass said."""
    name = getattr(decision.chosen.action, "workload", "")
    standing = frozenset(
        (each.id, STANDS.get(each.phase, "")) for each in facts.replicas if each.workload == name
    )
    return standing, tuple(sorted(facts.shares.get(name, {}).items()))


def started(decision: Decision) -> tuple[str, ...]:
    """Return the replicas that a decision starts."""
    action = decision.chosen.action
    one = getattr(action, "start", "")
    return (one,) if one else getattr(action, "starts", ())


STANDS = {Phase.STARTING: "lives", Phase.RUNNING: "lives", Phase.DRAINING: "drains", Phase.EXITED: "ended"}


class Witness:
    """What is known of one run. `decisions` were recorded; `subjects` are of the others, too.

    `decided` says when an action was decided last, whether that could be recorded or not; `recorded` since
    when a record holds it: one of a full disk is written down later, with what is under way then.
    `blemished`: when one of a release last fared badly: it ceased to pass, ended unasked, or came too late.
    `unwritten` are replicas that were started while no record could be kept of it; `undoing` the actions
    that undo another.
    """

    def __init__(self, world: World, disk: Disk | None = None) -> None:
        """Begin with nothing ordered and nothing recorded."""
        self.world = world
        self.disk = disk or Disk()
        self.system: System | None = None
        self.systems: list[System] = []
        self._in_force_since: list[Instant] = []
        self.releases: dict[str, list[Ordered]] = {}
        self.rolled_back: dict[str, Instant] = {}
        self.down_at: Instant | None = None
        self.freed_until: dict[str, Instant] = {}
        self._down_until: Instant = -1.0
        self.decided: dict[str, Instant] = {}
        self.recorded: dict[str, Instant] = {}
        self.unrecorded: set[str] = set()
        self.asked: set[str] = set()
        self.approved: set[str] = set()
        self.asked_on: dict[str, Basis] = {}
        self.acted_on: dict[str, Basis] = {}
        self.recording = True
        self.promised: dict[str, Ordered] = {}
        self.given_up: dict[str, tuple[str, Instant]] = {}
        self.blemished: dict[tuple[str, str], Instant] = {}
        self.refused: dict[str, Instant] = {}
        self.passes = 0
        self.blind_stops = 0
        self.decisions: dict[str, Decision] = {}
        self.subjects: dict[str, str] = {}
        self.unwritten: set[str] = set()
        self.undoing: set[str] = set()
        self._changed_at: dict[str, Instant] = {}
        self._served: dict[str, set[str]] = {}
        world.listeners.append(self._look)

    def heard(self, inputs: Inputs, result: Result, after: History, *, recorded: bool) -> None:
        """Take in a pass, which has just been recorded or could not be.

        Of the history after it only the names of actions under way are looked at: a record holds them too.
        """
        self.passes += 1
        self.recording = recorded
        answers = {each.intent: each.detail for each in result.answers if each.accepted}
        for intent in inputs.intents:
            if intent.id in answers:
                self._ordered(intent, answers[intent.id], inputs.now)
                self._promised(intent, answers[intent.id], inputs.now)
        acting = [each for each in result.decisions if each.state == "act"]
        self.decided.update((each.id, inputs.now) for each in acting)
        self.subjects.update((each.id, each.subject) for each in acting)
        self.undoing.update(each.id for each in acting if each.chosen.controller == "undo")
        if recorded:
            self.decisions.update((each.id, each) for each in result.decisions if each.state == "act")
            for each in (*(one.id for one in result.decisions if one.state == "act"), *after.pending):
                self.recorded.setdefault(each, inputs.now)
        if not recorded:
            self.unrecorded.update(each.id for each in result.decisions if each.state == "act")
            self.unwritten.update(*(started(each) for each in result.decisions if each.state == "act"))
        self.asked.update(each.id for each in result.decisions if each.state == "asked")
        for decision in result.decisions:
            if decision.state == "asked":
                self.asked_on[decision.id] = basis(inputs.facts, decision)
            elif decision.state == "act" and decision.id in self.asked:
                self.acted_on.setdefault(decision.id, basis(inputs.facts, decision))

    def service(self, workload: str) -> Service | None:
        """Return a workload as the spec in force has it."""
        return self.system.services.get(workload) if self.system else None

    def guards(self, at: Instant) -> Guards:
        """Return the guards that were in force when something was decided, or sent."""
        number = bisect_right(self._in_force_since, at)
        return self.systems[max(0, number - 1)].guards

    def silent_since(self, source: str) -> Instant | None:
        """Return since when a source of facts has truly been silent, None if it is not."""
        befalling = self.world.befalling
        for kind in ("unanswered", "reboot", *(("supervisor-restart",) if source == PROCESSES else ())):
            if befalling.size(kind) is not None:
                return befalling.near[kind][0]
        return self.world.silences.since.get(source)

    def changed_lately(self, workload: str, within_s: float) -> bool:
        """Return whether a person has changed what is wanted of a workload, or its release, lately."""
        return self.world.now - self._changed_at.get(workload, -1e9) <= within_s

    def better(self, workload: str, *releases: str) -> bool:
        """Return whether any other release of a workload has served since it was last ordered down."""
        return bool(self._served.get(workload, set()).difference(releases))

    def drain_s(self, workload: str) -> float:
        """Return the shortest drain that any spec so far has promised a workload's requests."""
        found = [each.services[workload].drain_s for each in self.systems if workload in each.services]
        return min(found, default=0.0)

    def surge(self, workload: str) -> int:
        """Return by how much a workload may exceed its `max`, at the most."""
        found = [each.services[workload].rollout.surge for each in self.systems if workload in each.services]
        return max(found, default=0)

    def released_by_order(self, workload: str, sent_at: Instant = float("inf")) -> bool:
        """Return whether a person had ordered this workload down, out of the spec, or back.

        What was sent while an order was in force is that order's, even if it arrives when it is no more.
        """
        if self.down_at is not None or self.service(workload) is None or workload in self.rolled_back:
            return True
        return sent_at <= self.freed_until.get(workload, self.freed_until.get("", -1.0))

    def ordered_down(self, workload: str, sent_at: Instant) -> bool:
        """Return whether everything had been ordered down, or this workload out, when it was sent."""
        if self.down_at is not None or self.service(workload) is None:
            return True
        if sent_at <= self._down_until:
            return True
        return workload not in self.rolled_back and self.released_by_order(workload, sent_at)

    def _look(self, event: Event) -> None:
        if isinstance(event, Refused):
            self._hindered(event)
        if not isinstance(event, Passing | Ended) or not (body := self.world.bodies.get(event.replica)):
            return
        if isinstance(event, Passing) and event.passing:
            self._served.setdefault(body.workload, set()).add(body.release)
            if self._late(body.workload, event.at - body.started_at):
                self.blemished[body.workload, body.release] = event.at
        elif isinstance(event, Passing) or event.drained_s is None or not body.passed_once:
            self.blemished[body.workload, body.release] = event.at

    def _late(self, workload: str, after_s: float) -> bool:
        """Return whether a replica that passes so long after its start may have been given up by then.

        It has used up the time that its spec gives it, as the oldest facts that still count would show it.
        """
        service = self.service(workload)
        return service is not None and after_s + FACT_AGE_MAX_S >= service.health.start_timeout_s

    def _hindered(self, event: Refused) -> None:
        decision = self.decisions.get(event.action_id)
        if decision is not None:
            self.refused[str(getattr(decision.chosen.action, "workload", ""))] = event.at

    def _promised(self, intent: Intent, answer: str, at: Instant) -> None:
        """Note which release of a workload was promised last: a rollback's answer names it at its end."""
        match intent:
            case Rollback(workload=workload):
                to = answer.rpartition(" ")[2]
                if self.promised.get(workload, (at, ""))[1] != to:
                    self.promised[workload] = at, to
                left = answer.partition(" gives its traffic back to ")
                self.given_up[workload] = (left[0] if left[1] else "", at)
            case Up(releases=releases):
                self.promised.update((name, (at, release)) for name, release in releases.items())
                self.given_up = {name: each for name, each in self.given_up.items() if name not in releases}
            case Down():
                self.given_up.clear()

    def _ordered(self, intent: Intent, answer: str, at: Instant) -> None:
        match intent:
            case Up():
                self._up(intent, answer, at)
            case Rollback(workload=workload, to=to):
                self.rolled_back[workload] = at
                self._changed_at[workload] = at
                self.releases.setdefault(workload, []).append((at, to))
            case Approve(action=action):
                self.approved.add(action)
            case Down():
                self.down_at = at
                self._served.clear()

    def _up(self, intent: Up, answer: str, at: Instant) -> None:
        system, releases = intent.system, intent.releases
        before = self.system.services if self.system else {}
        for name, service in system.services.items():
            if before.get(name) != service or name in releases:
                self._changed_at[name] = at
        if self.down_at is not None:
            self._down_until = at
            self.freed_until = dict.fromkeys((*system.services, ""), at)
        self.freed_until |= dict.fromkeys(system.services.keys() - before.keys(), at)
        for name in self._served.keys() - system.services.keys():
            del self._served[name]
        self.system, self.down_at = system, None
        self.systems.append(system)
        self._in_force_since.append(at)
        for name, release in releases.items():
            if not self._goes_on_back(name, release) and self.rolled_back.pop(name, None) is not None:
                self.freed_until[name] = at
            if self._calls_back(name, release, answer):
                self.rolled_back[name] = at
            self.releases.setdefault(name, []).append((at, release))

    def _goes_on_back(self, workload: str, release: str) -> bool:
        """Return whether an Up asks for the very release that a person is going back to at this moment."""
        if workload not in self.rolled_back or self.promised.get(workload, (0.0, ""))[1] != release:
            return False
        return self.world.shares.get(workload, {}).get(release, 0.0) < 1

    def _calls_back(self, workload: str, release: str, answer: str) -> bool:
        """Return whether an Up asks for the release before, while another one is on its way.

        It still has traffic then; or it has lost all, and the answer calls its return no rollout.
        """
        ordered = self.releases.get(workload, ())
        newest = ordered[-1][1] if ordered else release
        rolling = answer.removeprefix("rolling out ").split(", ")
        has_some = self.world.shares.get(workload, {}).get(release, 0.0) > 0
        return newest != release and (has_some or workload not in rolling)
