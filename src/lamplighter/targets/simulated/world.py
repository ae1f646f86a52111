"""The world: replicas, traffic and time, as they truly are, from one seed.

Moved forward by `advance`, changed by the target's effects, read by sources and by checkers. Knows no
policy and no engine: what it does is what a machine, a gateway and programs would do.
"""

from collections.abc import Callable, Mapping

from lamplighter.model.actions import OutcomeState
from lamplighter.model.system import System
from lamplighter.model.value import Instant, digest
from lamplighter.targets.simulated.agenda import Agenda, Happening
from lamplighter.targets.simulated.apps import Ailment, App
from lamplighter.targets.simulated.befalling import Befalling
from lamplighter.targets.simulated.bodies import Body
from lamplighter.targets.simulated.chance import Chance
from lamplighter.targets.simulated.faults import Faults
from lamplighter.targets.simulated.journal import Born, Draining, Event, Mishap, Truth
from lamplighter.targets.simulated.mishaps import CHECK_S, SIGKILL, SIGTERM, Mishaps
from lamplighter.targets.simulated.silences import Silences
from lamplighter.targets.simulated.traffic import HEALTHY, Ground, Traffic

SETTLE_S = 0.25
"""From leaving the balancer to the last request that may still come."""
GRACE_S = 5.0
"""From the signal to end to being killed."""
IN_FLIGHT_MAX = 100
"""A replica takes no more at once; what else is queued waits in the gateway, for another one."""
TOLD_OF_S = 60.0
"""For so long the truth still tells of a replica that ended."""


class World:
    """Everything that is so. Two worlds of the same seed and the same calls are the same."""

    def __init__(
        self,
        seed: int = 0,
        apps: Mapping[str, App] | None = None,
        faults: Faults | None = None,
        ailments: Mapping[str, Ailment] | None = None,
    ) -> None:
        """Make a world in which nothing runs yet, at instant 0.

        Args:
            seed: every draw comes from it.
            apps: what runs in each workload's replicas; a workload that is not named has the default app.
            faults: what may go wrong.
            ailments: what is wrong with a release, by its id.
        """
        self.chance = Chance(seed)
        self.faults = faults or Faults()
        self.ailments = dict(ailments or {})
        self.bodies: dict[str, Body] = {}
        self.shares: dict[str, dict[str, float]] = {}
        self.configured = ""
        self.system: System | None = None
        self.token = 0
        self.answers: dict[str, OutcomeState] = {}
        self.written_at: dict[str, Instant] = {}
        self.forgot_at: Instant = -1.0
        self.gateway_forgot_at: Instant = -1.0
        self.dismantling = False
        self._calm = False
        self.listeners: list[Callable[[Event], None]] = []
        ground = Ground(self.chance, dict(apps or {}), self.ailments, self.bodies, self.shares)
        self.traffic = Traffic(ground)
        self._agenda = Agenda()
        self.mishaps = Mishaps(self._agenda, self.chance, self.traffic, self.note)
        self.silences = Silences(self._agenda, self.chance, self.note)
        self.befalling = Befalling(self)
        self.silences.await_them(self.faults.sources)
        for name in ground.apps:
            self._await_burst(name)

    # --- time

    @property
    def now(self) -> Instant:
        """The instant that the world has come to."""
        return self._agenda.now

    def advance(self, to: Instant, called: Callable[[], bool] | None = None) -> Instant:
        """Let everything happen that happens until `to`; return the instant that it came to.

        That is earlier where something happens that somebody has `called` for to be dealt with first.
        """
        return self._agenda.advance(to, called)

    def at(self, when: Instant, happen: Happening, *, fault: bool = False) -> None:
        """Have something happen; a fault only if there still are faults then."""
        self._agenda.at(when, happen, fault=fault)

    def calm(self) -> None:
        """End all faults, and bursts for good. What is broken stays so: what hangs, hangs."""
        self._calm = True
        self._agenda.drop_faults()
        self.faults = Faults()
        self.silences.end_all()
        self.befalling.end_all()
        self.traffic.changed(self.now)
        for name in tuple(self.traffic.bursting):
            self.traffic.burst(name, self.now, 1.0)
        for each in self.bodies.values():
            each.failing = False
        self.note(Mishap(self.now, "world", "no more faults from here on"))

    def note(self, event: Event) -> None:
        """Tell everyone who listens what has happened."""
        for each in self.listeners:
            each(event)

    # --- effects

    def start(self, name: str, workload: str, release: str, action_id: str) -> None:
        """Start a replica; one that is known is not started again."""
        known = self.bodies.get(name)
        if known is not None and (known.recorded or known.stage != "ended"):
            return
        body = self.bodies[name] = Body(name, workload, release, self.now)
        self.note(Born(self.now, name, workload, release, action_id))
        app, ailment, faults = (
            self.traffic.app(workload),
            self.ailments.get(release, HEALTHY),
            self.faults.replicas,
        )
        spell, draw = self.befalling.size, f"start/{workload}"
        start_s = app.start_s * (1 + self.chance.between(draw, -app.start_spread, app.start_spread))
        start_s += spell("slow-start", workload) or 0.0
        if self.chance.happens(draw, faults.start_slow_p):
            start_s += faults.start_slow_s
        crash_p = max(faults.crash_at_start_p, ailment.crash_at_start_p, spell("crash-loop", workload) or 0.0)
        body.frail_s = spell("late-crash", workload)
        if self.chance.happens(draw, crash_p):
            crash_s = start_s * self.chance.between(draw, 0.1, 1.0)
            self.at(self.now + crash_s, lambda: self.mishaps.crash(body))
        elif not ailment.never_ready and spell("never-ready", workload) is None:
            checked_s = self.chance.between(draw, 0.0, CHECK_S)
            self.at(self.now + start_s + checked_s, lambda: self._up(body))

    def drain(self, name: str, at_most_s: float, action_id: str) -> None:
        """Take a replica out of the balancer; it is told to end when its requests are finished."""
        body = self.bodies.get(name)
        if body is None or body.stage in ("ending", "ended"):
            return
        until = self.now + at_most_s
        if body.stage == "draining":
            body.drain_until = min(body.drain_until, until)
        else:
            in_flight = self._leave(body)
            body.stage, body.drain_until = "draining", until
            self.note(Draining(self.now, name, in_flight, at_most_s, action_id))
        quiet_at = max([self.now, *body.finishes]) + SETTLE_S
        self.at(until if body.stuck else min(quiet_at, until), lambda: self.end(body))

    def end(self, body: Body, grace_s: float = GRACE_S) -> None:
        """Tell a replica to end; it is killed if it has not after `grace_s`."""
        if body.stage in ("ending", "ended"):
            return
        if body.live:
            self._leave(body)
        body.stage = "ending"
        faults, draw = self.faults.replicas, f"end/{body.workload}"
        takes_s = self.chance.between(draw, 0.05, 0.5)
        deaf = self.befalling.size("deaf", body.workload) is not None
        if body.hung or deaf or self.chance.happens(draw, faults.end_ignored_p):
            takes_s = grace_s if body.hung or deaf else min(faults.end_ignored_s, grace_s)
        signal = SIGKILL if takes_s >= grace_s else SIGTERM
        self.at(self.now + takes_s, lambda: self.mishaps.end(body, "told to", signal))

    def shift(self, workload: str, shares: Mapping[str, float]) -> None:
        """Set how a workload's traffic is shared."""
        self.traffic.changed(self.now)
        self.shares[workload] = dict(shares)

    def configure(self, system: System) -> None:
        """Set the gateway as a system says; shares of workloads that it does not have are dropped."""
        self.traffic.changed(self.now)
        self.system, self.configured = system, digest(system)
        self.traffic.sleepers = frozenset(n for n, each in system.services.items() if each.replicas.min == 0)
        for name in [each for each in self.shares if each not in system.services]:
            del self.shares[name]

    def forget(self, names: tuple[str, ...]) -> None:
        """Drop the records of replicas that have ended."""
        for name in names:
            body = self.bodies.get(name)
            if body is not None and body.stage == "ended":
                body.recorded = False

    def dismantle(self, grace_s: float) -> None:
        """End everything that is left, then the gateway; nothing else is done meanwhile."""
        self.dismantling = True
        for each in self.bodies.values():
            self.end(each, grace_s)
        self.at(self.now + grace_s + 1.0, self._dismantled)

    # --- what befalls the target

    def restart_target(self, *, forget_shares: bool) -> None:
        """Let the target forget what it has answered, and its gateway all it was told."""
        self.answers.clear()
        self.forgot_at = self.now
        if forget_shares:
            self.restart_gateway()

    def restart_gateway(self) -> None:
        """Let the gateway forget all shares and its configuration."""
        self.traffic.changed(self.now)
        self.shares.clear()
        self.configured, self.gateway_forgot_at = "", self.now

    def surge(self, workload: str, for_s: float, times: float) -> None:
        """Multiply the requests that come to a workload for a while."""
        self.traffic.burst(workload, self.now, times)
        self.at(self.now + for_s, lambda: self._subside(workload))

    def _subside(self, workload: str) -> None:
        self.traffic.burst(workload, self.now, 1.0)

    # --- reading

    def truth(self) -> Truth:
        """Return how everything stands, replicas that ended lately included."""
        self._sweep()
        shares = {name: dict(each) for name, each in self.shares.items()}
        return Truth(
            self.now, tuple(each.standing() for each in self.bodies.values()), shares, self.configured
        )

    # --- inside

    def _up(self, body: Body) -> None:
        if body.stage != "booting":
            return
        body.stage = "up"
        self.mishaps.passes(body, passing=True, why="started")
        ailment = self.ailments.get(body.release, HEALTHY)
        if body.frail_s is not None:
            self.at(self.now + body.frail_s, lambda: self.mishaps.crash(body))
        if ailment.crash_after_s:
            after_s = self.chance.wait_s(f"ailment/{body.release}", ailment.crash_after_s)
            self.at(self.now + after_s, lambda: self.mishaps.crash(body))
        self.mishaps.await_them(body, self.faults.replicas)

    def _leave(self, body: Body) -> int:
        """Take a replica's requests out of the common flow: each has its own end from now on."""
        in_flight = min(self.traffic.in_flight(body, self.now), IN_FLIGHT_MAX)
        self.traffic.changed(self.now)
        app, draw = self.traffic.app_of(body), f"finish/{body.workload}"
        body.draining_since = self.now
        if not body.hung:
            body.finishes = sorted(self.now + self._takes_s(app, draw) for _ in range(in_flight))
        return in_flight

    def _takes_s(self, app: App, draw: str) -> float:
        return (
            app.long_s if self.chance.happens(draw, app.long_p) else self.chance.wait_s(draw, app.service_s)
        )

    def _dismantled(self) -> None:
        self.traffic.changed(self.now)
        self.dismantling, self.configured, self.system = False, "", None
        self.shares.clear()
        for each in self.bodies.values():
            each.recorded = False

    def _sweep(self) -> None:
        old = [
            name
            for name, each in self.bodies.items()
            if not each.recorded and each.ended_at is not None and self.now - each.ended_at > TOLD_OF_S
        ]
        for name in old:
            del self.bodies[name]

    def _await_burst(self, workload: str) -> None:
        demand = self.traffic.app(workload).demand
        if demand.burst_every_s > 0:
            begins = self.now + self.chance.wait_s(f"burst/{workload}", demand.burst_every_s)
            self.at(begins, lambda: self._burst(workload, demand.burst_for_s))

    def _burst(self, workload: str, for_s: float) -> None:
        if self._calm:
            return
        self.note(Mishap(self.now, workload, f"a burst of requests for {for_s:g} s"))
        self.surge(workload, for_s, self.traffic.app(workload).demand.burst_times)
        self.at(self.now + for_s, lambda: self._await_burst(workload))
